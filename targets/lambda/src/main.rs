//! The `bootstrap` of the function.

fn main() -> std::process::ExitCode {
    edgeway_lambda::main()
}
