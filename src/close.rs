//! Close frame bodies: status codes and reasons (RFC 6455 §5.5.1, §7.4).

use core::fmt;

use crate::Role;
use crate::error::{SendError, Violation};

/// A status code of the closing handshake, 16 bits (RFC 6455 §7.4).
///
/// Any value can be held, since any value can arrive. Which of them may travel in a Close frame
/// is decided by [`may_be_received`](Self::may_be_received) and [`may_be_sent_by`](Self::may_be_sent_by).
///
/// ```
/// use ws_proto::{CloseCode, Role};
///
/// assert!(CloseCode::NORMAL.may_be_sent_by(Role::Server));
/// assert!(CloseCode::new(4001).may_be_received());
/// // 1005 and 1006 are reported to the application, and never sent.
/// assert!(!CloseCode::NO_STATUS.may_be_received());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away: a server shuts down, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame had no status code. Reported, never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. Reported, never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit the type of its message, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message breaks a policy of the endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension that the client needs. Sent by clients.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept the endpoint from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from its upstream server.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Reported, never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Wraps a number, valid or not.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a received Close frame may carry this code; another one fails the connection with 1002.
    ///
    /// That is 1000 to 1003, 1007 to 1014, and 3000 to 4999 (RFC 6455 §7.4.2 and the IANA registry).
    pub const fn may_be_received(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether an endpoint of this role may send the code of its own accord: those that may be received, but a server
    /// does not send 1010 (RFC 6455 §7.4.1). The automatic answer to a Close frame has the code of that, whatever it is (§5.5.1).
    pub const fn may_be_sent_by(self, role: Role) -> bool {
        self.may_be_received() && !(matches!(role, Role::Server) && self.0 == Self::MANDATORY_EXTENSION.0)
    }

    /// Whether a client whose connection ended with this code does well to come back by itself.
    ///
    /// | code | answer | why |
    /// | --- | --- | --- |
    /// | 1000 | never | the purpose is fulfilled; a new one is the application's to have |
    /// | 1001, 1012 | later | the server shuts down or restarts, and all its clients come back at once |
    /// | 1002, 1003, 1007 | never | what the client sends is not understood, and will not be the next time |
    /// | 1008, 3000, 3003 | never | it is not let in, or was sent away: as it is, with these credentials |
    /// | 1009 | never | the message that is too big would be sent again; without it there is nothing against coming back |
    /// | 1010 | never | the server has not learnt the extension meanwhile |
    /// | 1005, 1006 | soon | no reason was given, or the transport was lost |
    /// | 1011, 1014 | later | the server, or one behind it, is in trouble |
    /// | 1013 | later | the server is overloaded, and says so |
    /// | 1015 | later | a certificate is not renewed, nor a configuration mended, within seconds |
    /// | 3008 | soon | something took too long |
    /// | any other | soon | nothing is known against it |
    ///
    /// 4000 to 4999 mean what the application says (RFC 6455 §7.4.2): look at those first. A client that failed the
    /// connection itself has no code but 1006: it asks that of the [`Violation`]'s own [code](Violation::close_code).
    ///
    /// ```
    /// use ws_proto::{CloseCode, Reconnect, Violation};
    ///
    /// assert_eq!(CloseCode::ABNORMAL.reconnect(), Reconnect::Soon);
    /// assert_eq!(Violation::MaskedFrame.close_code().reconnect(), Reconnect::Never);
    /// ```
    pub const fn reconnect(self) -> Reconnect {
        match self.0 {
            1000 | 1002 | 1003 | 1007..=1010 | 3000 | 3003 => Reconnect::Never,
            1001 | 1011..=1015 => Reconnect::Later,
            _ => Reconnect::Soon,
        }
    }
}

/// Whether to connect again, by the way a connection ended: see [`CloseCode::reconnect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reconnect {
    /// Not without a change: the same would happen again, or nothing is left to do.
    Never,
    /// After more than the usual delay, for instance 5 s more: the server asks for time, or needs some.
    Later,
    /// After the usual delay (RFC 6455 §7.2.3), which is random and grows with each failure.
    Soon,
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of a Close frame that has one: a status code, and a reason of at most 123 bytes of UTF-8
/// (RFC 6455 §5.5.1).
///
/// The reason is for developers and logs. RFC 6455 §5.5.1 forbids to show it to end users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// The status code.
    pub code: CloseCode,
    /// The reason, empty if none was given.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// Longest reason, in bytes: a control frame's 125 less the two of the code.
    pub const MAX_REASON_BYTES: usize = 123;

    /// A body of code and reason.
    pub const fn new(code: CloseCode, reason: &'a str) -> Self {
        Self { code, reason }
    }

    /// Parses the payload data of a received Close frame; `None` if it is empty.
    ///
    /// # Errors
    /// [`Violation::CloseBodyTooShort`] for one byte, [`Violation::InvalidCloseCode`] for a code that
    /// must not be on the wire, [`Violation::InvalidCloseReason`] for a reason that is not UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Option<Self>, Violation> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(Violation::CloseBodyTooShort),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !CloseCode(code).may_be_received() {
            return Err(Violation::InvalidCloseCode(code));
        }
        let reason = core::str::from_utf8(reason).map_err(|_| Violation::InvalidCloseReason)?;
        Ok(Some(Self {
            code: CloseCode(code),
            reason,
        }))
    }

    /// Writes the payload data of a Close frame to the front of `buffer`, and returns its length in bytes.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`] if the role must not send the code, [`SendError::ReasonTooLong`].
    pub fn encode(&self, role: Role, buffer: &mut [u8; 125]) -> Result<usize, SendError> {
        if !self.code.may_be_sent_by(role) {
            return Err(SendError::InvalidCloseCode(self.code.0));
        }
        let reason = self.reason.as_bytes();
        if reason.len() > Self::MAX_REASON_BYTES {
            return Err(SendError::ReasonTooLong);
        }
        buffer[..2].copy_from_slice(&self.code.0.to_be_bytes());
        buffer[2..2 + reason.len()].copy_from_slice(reason);
        Ok(2 + reason.len())
    }
}

/// So that `Connection::close` takes a code alone.
impl From<CloseCode> for Option<Close<'_>> {
    fn from(code: CloseCode) -> Self {
        Some(code.into())
    }
}

impl From<CloseCode> for Close<'_> {
    fn from(code: CloseCode) -> Self {
        Self { code, reason: "" }
    }
}
