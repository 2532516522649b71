//! Echo servers over loopback, each in a process of its own, under the load of `examples/load.rs` in another one.
//!
//! The servers have one thread. Only the processes started here are ended.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::table::{Row, quartiles};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SERVERS: [&str; 9] = [
    "ws-proto",
    "ws-proto-tokio",
    "tungstenite",
    "tokio-websockets",
    "fastwebsockets",
    "soketto",
    "yawc",
    "sockudo-ws",
    "wtx",
];

/// Each connection has to have its turn.
const SLOWEST_BYTES_PER_SECOND: f64 = 50e6;

pub struct Plan {
    pub connections: &'static [usize],
    pub bytes: &'static [usize],
    pub seconds: f64,
    /// Each server under each load so often.
    pub rounds: usize,
}

impl Plan {
    pub const QUICK: Self = Self {
        connections: &[1, 100],
        bytes: &[32, 64 << 10],
        seconds: 0.3,
        rounds: 1,
    };
    pub const FULL: Self = Self {
        connections: &[1, 100, 10_000],
        bytes: &[32, 1 << 10, 64 << 10],
        seconds: 1.0,
        rounds: 3,
    };
}

/// All servers under all loads; servers take turns. `wanted` says which servers.
pub fn run(plan: &Plan, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let folder = build()?;
    let most = plan.connections.iter().max().copied().unwrap_or(0) as u64;
    raise_descriptor_limit(most + 64)?;
    let servers: Vec<_> = SERVERS.into_iter().filter(|server| wanted(server)).collect();
    let mut rows = Vec::new();
    for &connections in plan.connections {
        for &bytes in plan.bytes {
            let mut figures = BTreeMap::<_, Vec<_>>::new();
            for round in 0..plan.rounds {
                // Nobody always comes behind the same one.
                for i in 0..servers.len() {
                    let at = (round + i) % servers.len();
                    let server = servers[at];
                    eprintln!("{server}: {connections} connections, {bytes} bytes");
                    match measure(&folder, server, connections, bytes, plan.seconds) {
                        Ok(measured) => figures.entry(at).or_default().push(measured),
                        Err(error) => eprintln!("{server} is left out of this: {error}"),
                    }
                }
            }
            rows.extend(figures.into_values().flat_map(medians));
        }
    }
    Ok(rows)
}

/// Each figure of all rounds, of which there is one at least.
fn medians(rounds: Vec<Vec<Row>>) -> Vec<Row> {
    let mut rows = rounds[0].clone();
    for (i, row) in rows.iter_mut().enumerate() {
        let mut figures: Vec<_> = rounds.iter().map(|round| round[i].median).collect();
        [row.low, row.median, row.high] = quartiles(&mut figures);
    }
    rows
}

/// Builds the examples of this crate; where executables lie.
fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = std::env::current_exe()?;
    let release = own.parent().ok_or("no folder")?.to_path_buf();
    let target = release.parent().ok_or("no folder")?;
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--release",
        "--quiet",
        "--example=echo_server",
        "--example=load",
    ]);
    let built = cargo.arg("--target-dir").arg(target).current_dir(root).status()?;
    if built.success() {
        Ok(release)
    } else {
        Err("the examples do not build".into())
    }
}

/// A process that is ended with its value.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        Ok(Self {
            stdin: child.stdin.take().ok_or("no stdin")?,
            stdout: BufReader::new(child.stdout.take().ok_or("no stdout")?),
            child,
        })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.is_empty() {
            Err("it ended".into())
        } else {
            Ok(line.trim_end().into())
        }
    }

    /// What the kernel tells of it: resident bytes, and seconds of processor's time.
    fn resident_bytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(folder: &Path, name: &str, connections: usize, bytes: usize, seconds: f64) -> Result<Vec<Row>> {
    let mut command = if name == "ws-proto" {
        let mut command = Command::new(folder.join("examples/echo_server"));
        command.args(["--addr", "127.0.0.1:0", "--quiet"]);
        command
    } else {
        let mut command = Command::new(folder.join("echo"));
        command.arg(name);
        command
    };
    let mut server = Process::start(&mut command)?;
    let said = server.line()?;
    let url = said.split_whitespace().find(|word| word.starts_with("ws://"));
    let mut load = Command::new(folder.join("examples/load"));
    load.arg(url.ok_or("no address")?).arg("--steps");
    load.arg(format!("--connections={connections}"));
    let seconds = seconds.max((connections * bytes) as f64 / SLOWEST_BYTES_PER_SECOND);
    load.arg(format!("--seconds={seconds}"))
        .arg(format!("--bytes={bytes}"));
    let mut load = Process::start(&mut load)?;

    load.line()?;
    let one = server.resident_bytes()?;
    load.stdin.write_all(b"\n")?;
    load.line()?;
    let idle = server.resident_bytes()?;
    let before = server.cpu_seconds()?;
    load.stdin.write_all(b"\n")?;
    let said = load.line()?;
    sleep(Duration::from_millis(50));
    let cpu = server.cpu_seconds()? - before;
    let busy = server.resident_bytes()?;
    let words: Vec<_> = said.split_whitespace().collect();
    let ["echoed", messages, "in", elapsed, "s"] = words[..] else {
        return Err(format!("the load says {said:?}").into());
    };
    let (messages, elapsed): (f64, f64) = (messages.parse()?, elapsed.parse()?);
    if messages < connections as f64 {
        return Err("not all connections echoed".into());
    }

    let group = match bytes {
        ..1024 => format!("echo {bytes} B"),
        _ => format!("echo {}K", bytes >> 10),
    };
    let row = |what: &str, unit: &str, figure: f64| Row {
        workload: format!("{group} {what}"),
        case: connections.to_string(),
        contender: name.into(),
        unit: unit.into(),
        median: figure,
        low: figure,
        high: figure,
        allocations: 0.0,
        reads: 0.0,
        writes: 0.0,
    };
    let each = |held: f64| (held - one).max(0.0) / (connections as f64 - 1.0).max(1.0);
    let mut rows = vec![
        row("throughput", "messages/s", messages / elapsed),
        row("server CPU", "s per million messages", cpu / messages * 1e6),
        row("resident", "bytes", busy),
    ];
    if connections > 1 {
        rows.push(row("idle each", "bytes", each(idle)));
    }
    Ok(rows)
}

fn raise_descriptor_limit(descriptors: u64) -> Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < descriptors) {
        let raised = Rlimit {
            current: Some(descriptors),
            maximum,
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(())
}
