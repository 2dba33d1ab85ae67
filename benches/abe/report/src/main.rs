//! Reads the lines that `benches/abe/run` collected, and makes of them the bars, the tables and the plots.
//!
//! `wardkeep-abe-report RESULTS PAGE FOLDER`: shows bars and tables, writes them between the marks of PAGE, and the
//! plots into FOLDER.

mod bars;
mod chart;
mod charts;
mod floors;
mod page;
mod results;
mod scale;
mod tables;

use std::path::Path;
use std::process::ExitCode;

use results::Results;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            eprintln!("report: {fail}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [results, page, folder] = arguments else {
        return Err("usage: wardkeep-abe-report RESULTS PAGE FOLDER".to_owned());
    };
    let text = std::fs::read_to_string(results).map_err(|error| format!("`{results}`: {error}"))?;
    let mut results = Results::parse(&text)?;
    floors::add(&mut results);
    let shown = format!("{}\n{}\n{}", tables::head(), bars::table(&bars::all(&results)), tables::all(&results));
    println!("\n{shown}");
    page::write(Path::new(page), &shown)?;
    for (name, svg) in charts::all(&results) {
        let path = Path::new(folder).join(name);
        std::fs::write(&path, svg).map_err(|error| format!("`{}`: {error}", path.display()))?;
    }
    Ok(())
}
