//! What both endpoints agree on: the extension's parameters, offered by the client and answered by the server
//! (RFC 7692 §5, §7.1). Data only: it needs no memory, and is there without the feature `deflate`.

use super::text::ExtensionText;
use crate::extension::{Extension, Value};

/// The extension's name (RFC 7692 §7).
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The smallest window, 256 bytes (RFC 7692 §7.1.2).
const MIN_BITS: u8 = 8;
/// The largest window, 32 KiB: that of an endpoint about which nothing is said.
const MAX_BITS: u8 = 15;
/// The smallest window of the compressor: zlib has no raw stream with one of 256 bytes.
pub(crate) const MIN_COMPRESSOR_BITS: u8 = 9;

/// All values of the two windows, the smallest first. Read and written here alone, so that neither a leading zero
/// nor a sign gets in (RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes").
const BITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];

/// The four parameters of permessage-deflate (RFC 7692 §7.1): what a client offers, what a server allows, what it
/// answers, and what is agreed.
///
/// The default has none of them, which is `permessage-deflate` alone.
///
/// A window is 8 to 15 bits, for 256 bytes to 32 KiB; other numbers count as the nearest of these. Windows below 10
/// bits are not recommended (RFC 7692 §7.3). What compression lets an eavesdropper learn of secrets: see
/// [`crate::deflate`].
///
/// A server gives its policy to [`Request::deflate`](crate::handshake::Request::deflate); a client puts
/// [`offer`](Self::offer) into its request, and finds with [`Opened::deflate`](crate::handshake::Opened::deflate)
/// what came of it. The same, over lists of extensions that came some other way:
///
/// ```
/// use ws_proto::deflate::Parameters;
/// use ws_proto::extension;
///
/// // The client: a window of its own may be limited, too.
/// let wish = Parameters {
///     server_max_window_bits: Some(10),
///     client_max_window_bits: Some(15),
///     ..Parameters::default()
/// };
/// let sent = wish.offer();
/// assert_eq!(&*sent, "permessage-deflate; server_max_window_bits=10; client_max_window_bits");
///
/// // The server: it saves the memory of windows between messages.
/// let policy = Parameters {
///     server_no_context_takeover: true,
///     ..Parameters::default()
/// };
/// let accepted = policy.accept(extension::parse([sent.as_bytes()])?).unwrap();
/// let answer = accepted.answer();
/// assert_eq!(&*answer, "permessage-deflate; server_no_context_takeover; server_max_window_bits=10");
///
/// // The client again.
/// let agreed = Parameters::check([wish], extension::parse([answer.as_bytes()])?)?;
/// assert_eq!(agreed, Some(accepted));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The server compresses each message with an empty window (RFC 7692 §7.1.1.1).
    ///
    /// In an offer: it has to. In a policy: it does in any case.
    pub server_no_context_takeover: bool,
    /// The client compresses each message with an empty window (RFC 7692 §7.1.1.2).
    ///
    /// In an offer: it is willing to. In a policy: it has to.
    pub client_no_context_takeover: bool,
    /// The window of the server's compressor, at most (RFC 7692 §7.1.2.1). `None`: 15.
    ///
    /// In an offer: the server has to keep to it, or declines. In a policy: the server keeps to it in any case; 8
    /// counts as 9 there, because the compressor has no smaller window.
    pub server_max_window_bits: Option<u8>,
    /// The window of the client's compressor, at most (RFC 7692 §7.1.2.2). `None`: 15.
    ///
    /// In an offer: the server may set it, and the value is a hint; 15 is written without value, which gives no hint.
    /// In a policy: the client has to keep to it if it offered to; if it did not, its offer is accepted all the same.
    pub client_max_window_bits: Option<u8>,
}

impl Parameters {
    /// The offer that says this, for [`ClientRequest::extensions`](crate::handshake::ClientRequest).
    #[must_use]
    pub fn offer(&self) -> ExtensionText {
        self.write(Element::Offer)
    }

    /// The answer that says this, for [`Accept::extensions`](crate::handshake::Accept).
    #[must_use]
    pub fn answer(&self) -> ExtensionText {
        self.write(Element::Answer)
    }

    /// The parameters of a client's offer. `None`: it is one of another extension, or one that a server declines,
    /// because of a parameter that is unknown, repeated or has an invalid value (RFC 7692 §7).
    #[must_use]
    pub fn from_offer(offer: Extension<'_>) -> Option<Self> {
        if offer.name() != NAME {
            return None;
        }
        Self::read(offer, Element::Offer).ok()
    }

    /// The server's answer to the client's offers, under this policy: to the first that is acceptable (RFC 7692 §5).
    /// `None`: to decline, so that the answer does not name the extension.
    ///
    /// The answer says as little as possible: what the policy demands, and what the offer does. The client's hints are
    /// taken up. Only an offer with `server_max_window_bits=8` is declined though valid, because the compressor has no
    /// such window.
    #[must_use]
    pub fn accept<'a>(&self, offers: impl IntoIterator<Item = Extension<'a>>) -> Option<Self> {
        offers
            .into_iter()
            .filter_map(Self::from_offer)
            .find_map(|offer| self.answer_to(offer))
    }

    fn answer_to(&self, offer: Self) -> Option<Self> {
        // §7.1.2.1: who does not support the value declines.
        if offer.server_max_window_bits == Some(MIN_BITS) {
            return None;
        }
        // §7.1.1.1, §7.1.2.1: what binds the server alone it may say without being asked.
        let own_limit = self
            .server_max_window_bits
            .map(|bits| bits.clamp(MIN_COMPRESSOR_BITS, MAX_BITS));
        let server_max_window_bits = [own_limit, offer.server_max_window_bits]
            .into_iter()
            .flatten()
            .min();
        // §7.1.2.2: not without the client having offered it, and no more than its hint.
        let client_max_window_bits = offer.client_max_window_bits.and_then(|hint| {
            let bits = clamp(self.client_max_window_bits).map_or(hint, |limit| limit.min(hint));
            (self.client_max_window_bits.is_some() || bits < MAX_BITS).then_some(bits)
        });
        Some(Self {
            server_no_context_takeover: self.server_no_context_takeover || offer.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover || offer.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// What is agreed, if the server's answer fits one of the client's offers; which of them, it does not say.
    /// `None`: the server declined.
    ///
    /// The server may do without context takeover, and limit its window, unasked; and it may let the client have a
    /// larger window than the client's hint.
    ///
    /// # Errors
    ///
    /// If the answer breaks the rules, which fails the connection (RFC 7692 §5, §7).
    pub fn check<'a>(
        offers: impl IntoIterator<Item = Self>,
        answers: impl IntoIterator<Item = Extension<'a>>,
    ) -> Result<Option<Self>, NegotiationError> {
        let mut answers = answers.into_iter().filter(|answer| answer.name() == NAME);
        let Some(answer) = answers.next() else {
            return Ok(None);
        };
        // §5: both would use RSV1.
        if answers.next().is_some() {
            return Err(NegotiationError::AcceptedTwice);
        }
        let answer = Self::read(answer, Element::Answer)?;
        let (mut offered, mut window_offered) = (false, false);
        for offer in offers {
            if offer.allows(&answer) {
                return Ok(Some(answer));
            }
            offered = true;
            window_offered |= offer.client_max_window_bits.is_some();
        }
        Err(if !offered {
            NegotiationError::NotOffered
        } else if answer.client_max_window_bits.is_some() && !window_offered {
            NegotiationError::ClientWindowNotOffered
        } else {
            NegotiationError::NoSuchOffer
        })
    }

    /// Whether this offer lets the server answer so.
    fn allows(&self, answer: &Self) -> bool {
        // §7.1.1.1: such an offer is accepted only with the parameter in the answer.
        let takeover = answer.server_no_context_takeover || !self.server_no_context_takeover;
        // §7.1.2.1: likewise, "with the same or smaller value as the offer".
        let server_window = clamp(self.server_max_window_bits)
            .is_none_or(|limit| answer.server_max_window_bits.is_some_and(|bits| bits <= limit));
        // §7.1.2.2: not without an offer that has it. Its value there is a hint.
        let client_window = answer.client_max_window_bits.is_none() || self.client_max_window_bits.is_some();
        takeover && server_window && client_window
    }

    /// The window of the server's compressor: 8 to 15 bits.
    #[must_use]
    pub const fn server_window_bits(&self) -> u8 {
        window_bits(self.server_max_window_bits)
    }

    /// The window of the client's compressor: 8 to 15 bits.
    #[must_use]
    pub const fn client_window_bits(&self) -> u8 {
        window_bits(self.client_max_window_bits)
    }

    fn read(extension: Extension<'_>, element: Element) -> Result<Self, NegotiationError> {
        let mut read = Self::default();
        for parameter in extension.parameters() {
            let value = parameter.value();
            match parameter.name() {
                SERVER_NO_CONTEXT_TAKEOVER => read_flag(&mut read.server_no_context_takeover, value)?,
                CLIENT_NO_CONTEXT_TAKEOVER => read_flag(&mut read.client_no_context_takeover, value)?,
                SERVER_MAX_WINDOW_BITS => read_bits(&mut read.server_max_window_bits, value, None)?,
                CLIENT_MAX_WINDOW_BITS => {
                    read_bits(
                        &mut read.client_max_window_bits,
                        value,
                        element.bare_client_bits(),
                    )?;
                }
                _ => return Err(NegotiationError::UnknownParameter),
            }
        }
        Ok(read)
    }

    fn write(&self, element: Element) -> ExtensionText {
        let mut text = ExtensionText::new(NAME);
        if self.server_no_context_takeover {
            text.push_parameter(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            text.push_parameter(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = clamp(self.server_max_window_bits) {
            text.push_parameter(SERVER_MAX_WINDOW_BITS, Some(written(bits)));
        }
        if let Some(bits) = clamp(self.client_max_window_bits) {
            let value = (element.bare_client_bits() != Some(bits)).then(|| written(bits));
            text.push_parameter(CLIENT_MAX_WINDOW_BITS, value);
        }
        text
    }
}

/// Where parameters stand.
#[derive(Clone, Copy)]
enum Element {
    Offer,
    Answer,
}

impl Element {
    /// What `client_max_window_bits` means without a value, if it may have none (RFC 7692 §7.1.2.2).
    const fn bare_client_bits(self) -> Option<u8> {
        match self {
            Self::Offer => Some(MAX_BITS),
            Self::Answer => None,
        }
    }
}

/// The window that is meant.
const fn window_bits(bits: Option<u8>) -> u8 {
    match bits {
        Some(..MIN_BITS) => MIN_BITS,
        Some(bits @ MIN_BITS..MAX_BITS) => bits,
        Some(MAX_BITS..) | None => MAX_BITS,
    }
}

/// The parameter that is meant.
fn clamp(bits: Option<u8>) -> Option<u8> {
    bits.map(|_| window_bits(bits))
}

/// A window of 8 to 15 bits as text.
fn written(bits: u8) -> &'static str {
    BITS[usize::from(bits - MIN_BITS)]
}

fn read_flag(flag: &mut bool, value: Option<Value<'_>>) -> Result<(), NegotiationError> {
    if value.is_some() {
        return Err(NegotiationError::InvalidValue);
    }
    match core::mem::replace(flag, true) {
        true => Err(NegotiationError::RepeatedParameter),
        false => Ok(()),
    }
}

/// `bare`: what the parameter means without a value, if it may have none.
fn read_bits(
    window: &mut Option<u8>,
    value: Option<Value<'_>>,
    bare: Option<u8>,
) -> Result<(), NegotiationError> {
    let bits = match value {
        Some(value) => (MIN_BITS..)
            .zip(BITS)
            .find(|(_, text)| value == *text)
            .map(|(bits, _)| bits),
        None => bare,
    };
    match window.replace(bits.ok_or(NegotiationError::InvalidValue)?) {
        Some(_) => Err(NegotiationError::RepeatedParameter),
        None => Ok(()),
    }
}

/// Why a server's answer is refused: it breaks RFC 7692, and fails the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// A parameter that is none of the four (RFC 7692 §7).
    #[error("the server answered permessage-deflate with an unknown parameter")]
    UnknownParameter,
    /// A parameter that stands there twice (RFC 7692 §7).
    #[error("the server answered permessage-deflate with a parameter twice")]
    RepeatedParameter,
    /// A window that is not a number from 8 to 15, or a value where there is to be none (RFC 7692 §7.1).
    #[error("the server answered permessage-deflate with an invalid value of a parameter")]
    InvalidValue,
    /// The extension was not offered (RFC 7692 §5).
    #[error("the server accepted permessage-deflate, which was not offered")]
    NotOffered,
    /// The extension is accepted twice (RFC 7692 §5).
    #[error("the server accepted permessage-deflate twice")]
    AcceptedTwice,
    /// The client's window is limited, and no offer has `client_max_window_bits` (RFC 7692 §7.1.2.2).
    #[error("the server limited the client's window, which was not offered")]
    ClientWindowNotOffered,
    /// No single offer allows the answer: it lacks a parameter that has to be there (RFC 7692 §7.1.1.1, §7.1.2.1), has
    /// a larger window than was offered, or mixes offers.
    #[error("the server answered permessage-deflate with what none of the offers allows")]
    NoSuchOffer,
}
