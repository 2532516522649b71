//! The command line.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use lexopt::{Arg, ValueExt};
use ws_proto::{Delays, Timing};

pub(crate) const HELP: &str = "\
Usage: resilient_client ws://HOST[:PORT]/[PATH] [options]

  --token T            sent as `Authorization: Bearer T`; it may as well be a part of the URL
  --queue N            lines that wait for a connection or an acknowledgement [1000]
  --ping-interval-s N  a Ping after N seconds of silence, a new connection after N more; 0: none [20]
  --max-delay-ms N     longest wait before it connects again [30000]
  --help               this text
";

pub(crate) struct Options {
    pub(crate) url: String,
    /// The value of the field Authorization.
    pub(crate) authorization: Option<String>,
    pub(crate) queue: usize,
    pub(crate) timing: Timing,
    pub(crate) delays: Delays,
}

impl Options {
    /// The command line; `None` if help is asked for.
    pub(crate) fn parse() -> Result<Option<Self>, lexopt::Error> {
        let mut url = None;
        let mut options = Self {
            url: String::new(),
            authorization: None,
            queue: 1000,
            timing: Timing::default(),
            delays: Delays::default(),
        };
        options.delays.cap = Duration::from_secs(30);
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Value(value) if url.is_none() => url = Some(value.string()?),
                Arg::Long("token") => {
                    options.authorization = Some(format!("Bearer {}", parser.value()?.string()?))
                }
                Arg::Long("queue") => options.queue = parser.value()?.parse::<NonZeroUsize>()?.get(),
                Arg::Long("ping-interval-s") => {
                    let interval = Duration::from_secs(parser.value()?.parse()?);
                    options.timing.ping_after = (!interval.is_zero()).then_some(interval);
                    options.timing.pong_within = interval;
                }
                Arg::Long("max-delay-ms") => {
                    options.delays.cap = Duration::from_millis(parser.value()?.parse::<NonZeroU64>()?.get());
                }
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        options.url = url.ok_or("a URL is missing, such as ws://127.0.0.1:9001/")?;
        Ok(Some(options))
    }
}
