//! The option `--deflate`, of a server and of clients.

use lexopt::{Parser, ValueExt};
use ws_proto::deflate::{NAME, Parameters};
use ws_proto::extension;

/// A client's offer that leaves all to the server.
#[allow(dead_code)] // a server has none
pub(crate) const ANY: Parameters = Parameters {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: Some(15),
};

/// What stands behind `--deflate`: `usual`, or `--deflate=PARAMETERS`, written as in the opening handshake.
pub(crate) fn parameters(parser: &mut Parser, usual: Parameters) -> Result<Parameters, lexopt::Error> {
    let Some(text) = parser.optional_value() else {
        return Ok(usual);
    };
    let text = text.string()?;
    read(&format!("{NAME}; {text}"))
        .ok_or_else(|| format!("--deflate={text}: no parameters of {NAME}").into())
}

fn read(text: &str) -> Option<Parameters> {
    let mut extensions = extension::parse([text.as_bytes()]).ok()?;
    let parameters = Parameters::from_offer(extensions.next()?)?;
    extensions.next().is_none().then_some(parameters)
}
