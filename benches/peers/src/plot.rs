//! A plot for each workload of a table.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::peers::{DECODER, IDEAL, OWN_LOOP, US};
use crate::table::{Row, distinct, find};

const SIZE: (u32, u32) = (900, 480);

/// By the beginning of a contender's name, the same in all plots; the first that fits.
const STYLES: [(&str, RGBColor, u32); 19] = [
    ("ws-proto-tokio", RGBColor(0xff, 0x7f, 0x0e), 2),
    (OWN_LOOP, RGBColor(0xf0, 0x50, 0x60), 1),
    (DECODER, RGBColor(0xe8, 0x90, 0x90), 2),
    (US, RGBColor(0xd6, 0x27, 0x28), 3),
    (IDEAL, BLACK, 2),
    ("copy", RGBColor(0x99, 0x99, 0x99), 2),
    ("tungstenite", RGBColor(0x2c, 0xa0, 0x2c), 1),
    ("tokio-websockets", RGBColor(0x1f, 0x77, 0xb4), 1),
    ("fastwebsockets", RGBColor(0x94, 0x67, 0xbd), 1),
    ("soketto", RGBColor(0xbc, 0xbd, 0x22), 1),
    ("web-socket", RGBColor(0x17, 0xbe, 0xcf), 1),
    ("yawc", RGBColor(0xe3, 0x77, 0xc2), 1),
    ("sockudo-ws stream", RGBColor(0x63, 0x79, 0x39), 1),
    ("sockudo-ws", RGBColor(0x9c, 0xc9, 0x50), 1),
    ("websocket-sans-io", RGBColor(0x8c, 0x56, 0x4b), 1),
    ("wtx", RGBColor(0x39, 0x3b, 0x79), 1),
    ("simdutf8", RGBColor(0x55, 0x55, 0x55), 1),
    ("XOR", RGBColor(0xa0, 0x80, 0x40), 1),
    ("", RGBColor(0x70, 0x70, 0x70), 1),
];

type Drawn = Result<(), Box<dyn Error>>;

/// Draws all workloads into files of a folder, named after them.
pub fn all(rows: &[Row], folder: &Path) -> Drawn {
    fs::create_dir_all(folder)?;
    let all: Vec<&Row> = rows.iter().collect();
    for workload in distinct(&all, |row| &row.workload) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.workload == workload).collect();
        let file = folder.join(format!(
            "{}.svg",
            workload.replace(' ', "_").replace('/', "_per_")
        ));
        let area = SVGBackend::new(&file, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        one(workload, &rows, &area)?;
        area.present()?;
    }
    Ok(())
}

/// Times are shown as multiples of the ideal's, if there is one: sizes differ by more than contenders do.
fn one(workload: &str, rows: &[&Row], area: &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn {
    let cases = distinct(rows, |row| &row.case);
    let contenders = distinct(rows, |row| &row.contender);
    let relative = cases.iter().all(|case| find(rows, IDEAL, case).is_some());
    let value = |contender: &str, case: &str| {
        let ideal = if relative {
            find(rows, IDEAL, case)?.median
        } else {
            1.0
        };
        Some(find(rows, contender, case)?.median / ideal)
    };
    let values = || {
        contenders
            .iter()
            .flat_map(|contender| cases.iter().filter_map(|case| value(contender, case)))
    };
    let above_zero = || values().filter(|&value| value > 0.0);
    // With a power of ten within, or the axis has no figure.
    let low = above_zero().fold(f64::INFINITY, f64::min) / 1.2;
    let high = values().fold(0.0, f64::max) * 1.2;
    let low = low.min(10f64.powf(high.log10().floor()) / 1.01);
    let unit = if relative {
        "time, ideal = 1"
    } else {
        &rows[0].unit
    };

    let mut chart = ChartBuilder::on(area)
        .caption(workload, ("sans-serif", 20))
        .margin(12)
        .margin_right(190)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.5..cases.len() as f64 - 0.5, (low..high).log_scale())?;
    let label = |x: &f64| {
        let whole = (x - x.round()).abs() < 0.01 && *x > -0.5;
        let case = whole.then(|| cases.get(x.round() as usize)).flatten();
        case.map_or(String::new(), ToString::to_string)
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * cases.len() + 1)
        .x_label_formatter(&label)
        .y_label_formatter(&|y| {
            if *y < 10.0 {
                format!("{y:.1}")
            } else {
                format!("{y:.0}")
            }
        })
        .y_desc(unit)
        .light_line_style(WHITE)
        .draw()?;
    for (i, contender) in contenders.iter().enumerate() {
        let style = STYLES.iter().find(|(name, ..)| contender.starts_with(name));
        let &(_, colour, width) = style.ok_or("no style")?;
        let points = || {
            let cases = cases.iter().enumerate();
            cases.filter_map(|(x, case)| Some((x as f64, value(contender, case).filter(|&y| y > 0.0)?)))
        };
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(width)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
        let y = 44 + 20 * i as i32;
        let x = SIZE.0 as i32 - 180;
        area.draw(&Circle::new((x, y), 4, colour.filled()))?;
        area.draw(&Text::new(
            contender.to_string(),
            (x + 10, y - 7),
            ("sans-serif", 14),
        ))?;
    }
    Ok(())
}
