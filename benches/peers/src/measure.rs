//! Checks contenders, then times them in turns.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

use crate::alloc;
use crate::contender::{Contender, Seen};
use crate::deflate::Context;
use crate::list;
use crate::peers;
use crate::table::{Left, Row, quartiles};
use crate::wire::{self, Tap};
use crate::workloads::{ACCEPT, Job, Workload};

/// How long and how often.
pub struct Effort {
    pub rounds: usize,
    /// What a contender does at least before it is another one's turn.
    pub slice: Duration,
    /// Without the peers.
    pub alone: bool,
}

impl Effort {
    pub const QUICK: Self = Self {
        rounds: 15,
        slice: Duration::from_micros(100),
        alone: false,
    };
    pub const FULL: Self = Self {
        rounds: 101,
        slice: Duration::from_micros(300),
        alone: false,
    };
}

/// The processor's time that this thread took: what others do on the machine counts little.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

struct Turn {
    name: &'static str,
    contender: Box<dyn Contender>,
    /// Rounds of the job in a slice.
    times: u32,
    ns: Vec<f64>,
    /// For each message.
    allocations: f64,
    reads: f64,
    writes: f64,
}

/// Times all that can do the job; what cannot goes to `left`.
pub fn workload(
    checked: &Workload,
    tap: &Tap,
    timed: &Workload,
    effort: &Effort,
    left: &mut Vec<Left>,
) -> Vec<Row> {
    let mut turns = Vec::new();
    for (name, enter) in peers::ALL {
        if effort.alone && ![peers::US, peers::OWN_LOOP, peers::IDEAL].contains(&name) {
            continue;
        }
        match enter(&checked.job) {
            Ok(contender) => check(name, contender, &checked.job, tap),
            Err(reason) => {
                left.push(Left::new(name, reason, &timed.group));
                continue;
            }
        }
        let Ok(contender) = enter(&timed.job) else {
            continue;
        };
        turns.push(prepare(name, contender, timed.job.messages(), effort));
    }
    let count = turns.len();
    for round in 0..effort.rounds {
        // Nobody always comes behind the same one.
        for i in 0..count {
            let turn = &mut turns[(round + i) % count];
            // The caches hold what others had.
            time(&mut *turn.contender, 1);
            let elapsed = time(&mut *turn.contender, turn.times);
            let messages = f64::from(turn.times) * timed.job.messages() as f64;
            turn.ns.push(elapsed.as_nanos() as f64 / messages);
        }
    }
    turns.into_iter().map(|turn| row(timed, turn)).collect()
}

fn prepare(name: &'static str, mut contender: Box<dyn Contender>, messages: usize, effort: &Effort) -> Turn {
    time(&mut *contender, 2);
    let once = time(&mut *contender, 1).max(Duration::from_nanos(1));
    let times = effort.slice.as_nanos().div_ceil(once.as_nanos()) as u32;
    time(&mut *contender, times);
    let before = (alloc::taken(), wire::calls());
    time(&mut *contender, times);
    let after = (alloc::taken(), wire::calls());
    let each = |n: u64| n as f64 / (f64::from(times) * messages as f64);
    Turn {
        name,
        contender,
        times,
        ns: Vec::with_capacity(effort.rounds),
        allocations: each(after.0 - before.0),
        reads: each(after.1.0 - before.1.0),
        writes: each(after.1.1 - before.1.1),
    }
}

fn time(contender: &mut dyn Contender, times: u32) -> Duration {
    let mut seen = Seen::counting();
    let began = cpu_time();
    for _ in 0..times {
        contender.run(&mut seen);
    }
    cpu_time() - began
}

fn row(workload: &Workload, mut turn: Turn) -> Row {
    let [low, median, high] = quartiles(&mut turn.ns);
    Row {
        workload: workload.group.clone(),
        case: workload.case.clone(),
        contender: turn.name.into(),
        unit: "ns".into(),
        median,
        low,
        high,
        allocations: turn.allocations,
        reads: turn.reads,
        writes: turn.writes,
    }
}

/// Runs a few rounds and compares what comes out. What is sent is received by this crate.
fn check(name: &str, mut contender: Box<dyn Contender>, job: &Job, tap: &Tap) {
    const ROUNDS: u64 = 3;
    tap.lock().expect("one thread").clear();
    let kernel = job.kernel_results();
    let mut seen = match job {
        Job::Receive(job) if name != "copy" => Seen::comparing(&job.messages),
        _ if kernel.is_empty() || name == "simdutf8" => Seen::counting(),
        _ => Seen::comparing(&kernel),
    };
    for _ in 0..ROUNDS {
        contender.run(&mut seen);
    }
    let messages = ROUNDS * job.messages() as u64;
    assert_eq!(seen.messages, messages, "{name}");
    let mut written = std::mem::take(&mut *tap.lock().expect("one thread"));
    match job {
        Job::Receive(job) => {
            let payload: usize = job.messages.iter().map(|message| message.payload.len()).sum();
            assert_eq!(seen.bytes, ROUNDS * payload as u64, "{name}");
        }
        Job::Send(job) => {
            let role = if job.server { Role::Client } else { Role::Server };
            let mut received = Seen::comparing(&job.messages);
            let bytes: usize = job.messages.iter().map(|message| message.payload.len()).sum();
            assert!(
                job.deflate.is_none() || written.len() < bytes * ROUNDS as usize,
                "{name} does not compress"
            );
            receive(&mut written, role, job.deflate, &mut received);
            assert_eq!(received.messages, messages, "{name}");
        }
        Job::Handshake(_) => {
            let written = String::from_utf8(written).expect("a head");
            let accepted = written
                .matches("HTTP/1.1 101 ")
                .count()
                .min(written.matches(ACCEPT).count());
            assert_eq!(accepted as u64, messages, "{name}");
        }
        Job::Mask(_) | Job::Validate(_) | Job::UnmaskText(_) => {}
    }
}

fn receive(bytes: &mut [u8], role: Role, deflate: Option<Context>, seen: &mut Seen<'_>) {
    let mut config = Config::default();
    config.deflate = deflate.map(Context::parameters);
    let mut connection = Connection::new(role, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([1; 16]));
    let mut input = Input::new(bytes, &mut inbox);
    while connection.receive(&mut input, &mut outbox).expect("no violation") {
        match input.event() {
            Event::Text(text) => seen.message(true, text.as_bytes()),
            Event::Binary(data) => seen.message(false, data),
            other => panic!("{other:?}"),
        }
    }
}

/// What each holds for a connection that has received a message, in bytes of its own and on the heap.
pub fn idle() -> Vec<Row> {
    let job = list::idle();
    let mut rows = Vec::new();
    for (name, enter) in peers::ALL {
        let before = alloc::held();
        let Ok(mut contender) = enter(&job) else { continue };
        contender.run(&mut Seen::counting());
        let held = alloc::held() - before;
        let Some(idle) = contender.idle() else { continue };
        let heap = held as usize - size_of_val(&*contender) - idle.shared;
        for (case, bytes) in [("own", idle.inline), ("heap", heap), ("both", idle.inline + heap)] {
            let bytes = bytes as f64;
            rows.push(Row {
                workload: "idle connection".into(),
                case: case.into(),
                contender: name.into(),
                unit: "bytes".into(),
                median: bytes,
                low: bytes,
                high: bytes,
                allocations: 0.0,
                reads: 0.0,
                writes: 0.0,
            });
        }
    }
    rows
}
