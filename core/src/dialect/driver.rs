//! Runs decoder and encoder over a body.
