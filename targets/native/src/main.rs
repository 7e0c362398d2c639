//! The `edgeway` binary.

fn main() -> std::process::ExitCode {
    edgeway_native::cli::main()
}
