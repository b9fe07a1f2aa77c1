//! `honeyhive-edge-pack MODULE PACKED`: packs a module of WebAssembly into a file.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, packed] = arguments.as_slice() else {
        eprintln!("usage: honeyhive-edge-pack MODULE PACKED");
        return ExitCode::FAILURE;
    };
    let done = std::fs::read(module)
        .map_err(|error| format!("{module}: {error}"))
        .and_then(|bytes| honeyhive_edge_pack::pack(&bytes))
        .and_then(|bytes| {
            std::fs::write(packed, bytes).map_err(|error| format!("{packed}: {error}"))
        });
    if let Err(message) = done {
        eprintln!("{message}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
