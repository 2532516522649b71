//! Results as CSV and as plain tables.

use std::error::Error;
use std::fmt::Write as _;

use crate::peers::{IDEAL, NOT_ALONE, US, is_complete, is_reference};

/// One figure: the median, and the quartiles around it.
#[derive(Clone)]
pub struct Row {
    pub workload: String,
    pub case: String,
    pub contender: String,
    /// Of the figures: `ns` for each message, or what the header of a table says.
    pub unit: String,
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// For each message, as the next two.
    pub allocations: f64,
    /// Calls of the system, if the transport were a socket.
    pub reads: f64,
    pub writes: f64,
}

/// The lower quartile, the median and the upper one.
pub fn quartiles(figures: &mut [f64]) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|part| figures[(figures.len() - 1) * part / 4])
}

/// Why a contender is left out of a workload.
pub struct Left {
    contender: &'static str,
    reason: &'static str,
    workloads: Vec<String>,
}

impl Left {
    pub fn new(contender: &'static str, reason: &'static str, workload: &str) -> Self {
        Self {
            contender,
            reason,
            workloads: vec![workload.into()],
        }
    }
}

const HEADER: &str = "workload,case,contender,unit,median,low,high,allocations,reads,writes";

pub fn to_csv(rows: &[Row]) -> String {
    let mut csv = format!("{HEADER}\n");
    for row in rows {
        let Row {
            workload,
            case,
            contender,
            unit,
            ..
        } = row;
        // Names of ours, without commas: no quotes are needed.
        let _ = writeln!(
            csv,
            "{workload},{case},{contender},{unit},{:.3},{:.3},{:.3},{:.3},{:.4},{:.4}",
            row.median, row.low, row.high, row.allocations, row.reads, row.writes
        );
    }
    csv
}

pub fn from_csv(csv: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut lines = csv.lines();
    if lines.next() != Some(HEADER) {
        return Err("not a table of this program".into());
    }
    lines
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let [
                workload,
                case,
                contender,
                unit,
                median,
                low,
                high,
                allocations,
                reads,
                writes,
            ] = fields[..]
            else {
                return Err(format!("not a row: {line}").into());
            };
            Ok(Row {
                workload: workload.into(),
                case: case.into(),
                contender: contender.into(),
                unit: unit.into(),
                median: median.parse()?,
                low: low.parse()?,
                high: high.parse()?,
                allocations: allocations.parse()?,
                reads: reads.parse()?,
                writes: writes.parse()?,
            })
        })
        .collect()
}

/// Values of a field, each once, in the order of the rows.
pub fn distinct<'a>(rows: &[&'a Row], field: impl Fn(&'a Row) -> &'a str) -> Vec<&'a str> {
    let mut values = Vec::new();
    for row in rows {
        let value = field(row);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

pub fn find<'a>(rows: &[&'a Row], contender: &str, case: &str) -> Option<&'a Row> {
    let found = rows
        .iter()
        .find(|row| row.contender == contender && row.case == case);
    found.copied()
}

/// The tables of all workloads, each with what this crate's figure is of the ideal's and of the best peer's.
pub fn tables(rows: &[Row]) -> String {
    let all: Vec<&Row> = rows.iter().collect();
    let mut text = String::new();
    for workload in distinct(&all, |row| &row.workload) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.workload == workload).collect();
        text += &table(workload, &rows);
    }
    text
}

fn table(workload: &str, rows: &[&Row]) -> String {
    let cases = distinct(rows, |row| &row.case);
    let width = cases.iter().map(|case| case.len() + 2).max().unwrap_or(0).max(15);
    let mut text = format!("\n{workload}, {}\n{:30}", rows[0].unit, "");
    for case in &cases {
        let _ = write!(text, "{case:>width$}");
    }
    for contender in distinct(rows, |row| &row.contender) {
        let _ = write!(text, "\n{contender:30}");
        for case in &cases {
            let _ = write!(
                text,
                "{:>width$}",
                find(rows, contender, case).map_or("-".into(), cell)
            );
        }
    }
    type Other = fn(&[&Row], &str) -> Option<f64>;
    let others: [(&str, Other); 3] = [
        ("of the ideal", ideal),
        ("of the best peer", |rows, case| best(rows, case, |_| true)),
        ("of the best complete", |rows, case| best(rows, case, is_complete)),
    ];
    for (name, other) in others {
        let ratio = |case| Some(find(rows, US, case)?.median / other(rows, case)?);
        if !is_cost(rows[0]) || cases.iter().all(|case| ratio(case).is_none()) {
            continue;
        }
        let _ = write!(text, "\n{:30}", format!("{US} {name}"));
        for case in &cases {
            let _ = write!(
                text,
                "{:>width$}",
                ratio(case).map_or("-".into(), |ratio| format!("x {ratio:.2}"))
            );
        }
    }
    text.push('\n');
    text
}

/// The figure, and in brackets the allocations for each message, if there are any.
fn cell(row: &Row) -> String {
    let figure = match row.median {
        median if row.unit == "bytes" => format!("{median:.0}"),
        0.0..100.0 => format!("{:.2}", row.median),
        _ => format!("{:.0}", row.median),
    };
    match row.allocations {
        ..0.001 => figure,
        allocations => format!("{figure} ({allocations:.2})"),
    }
}

fn ideal(rows: &[&Row], case: &str) -> Option<f64> {
    Some(find(rows, IDEAL, case)?.median)
}

fn best(rows: &[&Row], case: &str, which: fn(&str) -> bool) -> Option<f64> {
    let best = best_peer(rows, case, which).map(|row| row.median);
    best.filter(|&median| median > 0.0)
}

fn best_peer<'a>(rows: &[&'a Row], case: &str, which: fn(&str) -> bool) -> Option<&'a Row> {
    let peers = rows.iter().filter(|row| row.case == case && row.contender != US);
    let peers = peers.filter(|row| !is_reference(&row.contender) && which(&row.contender));
    peers.copied().min_by(|a, b| a.median.total_cmp(&b.median))
}

/// Where a complete peer takes less, and by how much.
pub fn not_the_best(rows: &[Row]) -> String {
    let all: Vec<&Row> = rows.iter().collect();
    let mut text = String::new();
    for workload in distinct(&all, |row| &row.workload) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.workload == workload).collect();
        if !is_cost(rows[0]) {
            continue;
        }
        for case in distinct(&rows, |row| &row.case) {
            let (Some(us), Some(peer)) = (find(&rows, US, case), best_peer(&rows, case, is_complete)) else {
                continue;
            };
            if us.median > peer.median && peer.median > 0.0 {
                let ratio = us.median / peer.median;
                let _ = writeln!(text, "{workload:36}{case:>20}  x {ratio:.2}  {}", peer.contender);
            }
        }
    }
    if !text.is_empty() {
        text.insert_str(
            0,
            &format!("\nWhere a complete peer takes less, and what {US} takes of it:\n"),
        );
    }
    text
}

/// Whether less is better, for each message or connection.
fn is_cost(row: &Row) -> bool {
    row.unit == "ns" || row.unit == "bytes"
}

/// Who is left out where, and why.
pub fn left_out(left: &[Left]) -> String {
    let mut reasons: Vec<Left> = Vec::new();
    let told = |left: &&Left| !is_reference(left.contender) && left.reason != NOT_ALONE;
    for one in left.iter().filter(told) {
        match reasons
            .iter_mut()
            .find(|all| (all.contender, all.reason) == (one.contender, one.reason))
        {
            Some(all) if all.workloads.contains(&one.workloads[0]) => {}
            Some(all) => all.workloads.push(one.workloads[0].clone()),
            None => reasons.push(Left::new(one.contender, one.reason, &one.workloads[0])),
        }
    }
    let mut text = String::from("\nLeft out:\n");
    for Left {
        contender,
        reason,
        workloads,
    } in reasons
    {
        let _ = writeln!(text, "{contender:18} {reason}: {}", workloads.join("; "));
    }
    text
}
