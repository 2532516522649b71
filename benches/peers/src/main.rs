//! ws-proto beside straight-line loops and other WebSocket crates, on the same bytes.
//!
//! ```text
//! cargo run --release -- [--end-to-end] [--quick] [--only NAME] [--alone] [--csv FILE] [--plots FOLDER] [--from FILE]
//! ```

mod aligned;
mod alloc;
mod contender;
mod deflate;
mod end_to_end;
mod frames;
mod ideal;
mod list;
mod measure;
mod peers;
mod plot;
mod table;
mod together;
mod wire;
mod workloads;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use end_to_end::Plan;
use lexopt::{Arg, ValueExt};
use measure::Effort;
use table::Row;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

const HELP: &str = "\
ws-proto beside straight-line loops and other WebSocket crates, on the same bytes, in memory.

  --end-to-end     echo servers over loopback instead, each in a process of its own
  --quick          less of it: done within a minute
  --only NAME      workloads, or servers, whose name contains this
  --alone          ws-proto and the ideal loops without the others, which leave less of the caches to them
  --csv FILE       writes the figures to a file, too
  --plots FOLDER   draws a plot of each workload
  --from FILE      takes the figures from such a file instead of measuring

Times are the processor's time of the thread for each message: medians of rounds in which all take turns.
In brackets: allocations for each message.
";

#[derive(Default)]
struct Options {
    end_to_end: bool,
    quick: bool,
    alone: bool,
    only: Option<String>,
    csv: Option<PathBuf>,
    plots: Option<PathBuf>,
    from: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = parse()? else {
        print!("{HELP}");
        return Ok(());
    };
    let rows = match &options.from {
        Some(file) => table::from_csv(&fs::read_to_string(file)?)?,
        None if options.end_to_end => serve(&options)?,
        None => measure(&options),
    };
    print!("{}{}", table::tables(&rows), table::not_the_best(&rows));
    if let Some(file) = &options.csv {
        fs::write(file, table::to_csv(&rows))?;
    }
    if let Some(folder) = &options.plots {
        plot::all(&table::from_csv(&table::to_csv(&rows))?, folder)?;
    }
    Ok(())
}

fn measure(options: &Options) -> Vec<Row> {
    let began = Instant::now();
    let mut effort = if options.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    effort.alone = options.alone;
    let wanted = |name: &str| {
        options
            .only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let tap = Some(wire::Tap::default());
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for (checked, timed) in list::all(&tap).iter().zip(&list::all(&None)) {
        if wanted(&timed.group) {
            eprintln!("{}, {}", timed.group, timed.case);
            rows.extend(measure::workload(
                checked,
                &tap.clone().unwrap_or_default(),
                timed,
                &effort,
                &mut left,
            ));
        }
    }
    if wanted("idle connection") {
        rows.extend(measure::idle());
    }
    print!("{}", table::left_out(&left));
    println!(
        "\nThe ideal loops use {}. Measured in {:.0} s.",
        ideal::Instructions::known().name(),
        began.elapsed().as_secs_f64()
    );
    rows
}

fn serve(options: &Options) -> Result<Vec<Row>, Box<dyn Error>> {
    let plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    let only = options.only.as_deref().unwrap_or_default();
    end_to_end::run(&plan, |server| server.contains(only))
}

fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("end-to-end") => options.end_to_end = true,
            Arg::Long("quick") => options.quick = true,
            Arg::Long("alone") => options.alone = true,
            Arg::Long("only") => options.only = Some(parser.value()?.string()?),
            Arg::Long("csv") => options.csv = Some(parser.value()?.into()),
            Arg::Long("plots") => options.plots = Some(parser.value()?.into()),
            Arg::Long("from") => options.from = Some(parser.value()?.into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}
