//! permessage-deflate: what a server answers to any offers, and what a client makes of any answer.
//!
//! Octet 0 holds the options, octets 1 and 2 the windows of server and client, the rest is lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::Outbox;
use ws_proto::deflate::{NAME, NegotiationError, Parameters};
use ws_proto::extension;
use ws_proto::handshake::{Accept, Field, Fields, Key, Offer, RequestError, RequestHead, ResponseError};

const LINE: &str = "Sec-WebSocket-Extensions";

fuzz_target!(|data: &[u8]| {
    let Some((&[options, server_bits, client_bits], text)) = data.split_first_chunk() else {
        return;
    };
    let option = |bit: u8| options >> bit & 1 == 1;
    let parameters = Parameters {
        server_no_context_takeover: option(1),
        client_no_context_takeover: option(2),
        server_max_window_bits: option(3).then_some(server_bits),
        client_max_window_bits: option(4).then_some(client_bits),
    };
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    match option(0) {
        false => server(parameters, &lines),
        true => client(parameters, &lines),
    }
});

/// The lines are the client's offers, the parameters the server's policy.
fn server(policy: Parameters, lines: &[&[u8]]) {
    let mut fields = vec![
        Field::new("Host", "a"),
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Field::new("Sec-WebSocket-Version", "13"),
    ];
    fields.extend(lines.iter().map(|line| Field::new(LINE, line)));
    let request = match RequestHead::from_fields("GET", "/", &fields).and_then(|head| head.upgrade()) {
        Ok(request) => request,
        Err(error) => {
            return assert!(matches!(
                error,
                RequestError::FieldLine | RequestError::Extensions(_)
            ));
        }
    };
    let readable = || request.extensions().filter_map(Parameters::from_offer);
    let Some(agreed) = request.deflate(&policy) else {
        assert!(readable().all(|offer| offer.server_max_window_bits == Some(8)));
        return;
    };
    assert!((9..=15).contains(&agreed.server_window_bits()));
    assert!((8..=15).contains(&agreed.client_window_bits()));
    let answer = agreed.answer();
    // The client that offered this takes the answer, and so does the check before it is sent.
    let answers = extension::parse([answer.as_bytes()]).expect("well-formed");
    assert_eq!(Parameters::check(readable(), answers), Ok(Some(agreed)));
    let accept = Accept {
        extensions: &[&answer],
        ..Accept::default()
    };
    request
        .accept(&accept, &mut Outbox::new())
        .expect("it fits the offers");
}

/// The first line holds the client's offers beside that of the parameters; the others are the server's answer.
fn client(own: Parameters, lines: &[&[u8]]) {
    let Some((offered, answered)) = lines.split_first() else {
        return;
    };
    let mut offers = own.offer().to_string();
    if let (Ok(_), Ok(more)) = (extension::parse([*offered]), std::str::from_utf8(offered)) {
        offers = format!("{more}, {offers}");
    }
    let mut fields = vec![
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ];
    fields.extend(answered.iter().map(|line| Field::new(LINE, line)));
    let offer = Offer {
        extensions: &offers,
        ..Offer::new(Key::from_nonce(*b"the sample nonce"))
    };
    let opened = match offer.check(101, Fields::new(&fields)) {
        Ok(opened) => opened,
        Err(error) => {
            let own_fault = matches!(error, ResponseError::Deflate(NegotiationError::NotOffered));
            // Too many offers are none.
            assert!(!own_fault || extension::parse([offers.as_bytes()]).is_err());
            return;
        }
    };
    let named = opened.extensions().filter(|extension| extension.name() == NAME);
    assert_eq!(named.count(), usize::from(opened.deflate().is_some()));
    let Some(agreed) = opened.deflate() else { return };
    let offers = extension::parse([offers.as_bytes()]).expect("one of them was accepted");
    let allowed = offers.filter_map(Parameters::from_offer).any(|offer| {
        (!offer.server_no_context_takeover || agreed.server_no_context_takeover)
            && (offer.server_max_window_bits.is_none() || agreed.server_max_window_bits.is_some())
            && offer.server_window_bits() >= agreed.server_window_bits()
            && (offer.client_max_window_bits.is_some() || agreed.client_max_window_bits.is_none())
    });
    assert!(allowed, "{agreed:?}");
    // Written again, it is the same answer.
    let text = agreed.answer();
    let answers = extension::parse([text.as_bytes()]).expect("well-formed");
    assert_eq!(Parameters::check([agreed], answers), Ok(Some(agreed)));
}
