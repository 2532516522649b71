//! Headers: what parses is what encodes; a prefix is incomplete or wrong in the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::frame::{Header, MAX_CONTROL_BYTES, Opcode, Rsv};
use ws_proto::mask::MaskingKey;

fuzz_target!(|data: &[u8]| {
    parse(data);
    encode(data);
});

fn parse(data: &[u8]) {
    let whole = Header::parse(data);
    if let Ok(Some((header, len))) = whole {
        assert!(len <= Header::MAX_BYTES);
        assert_eq!(header.encode()[..], data[..len]);
    }
    let mut last = Ok(None);
    for end in 0..=data.len().min(Header::MAX_BYTES + 1) {
        let now = Header::parse(&data[..end]);
        assert!(last == Ok(None) || now == last, "more octets change nothing");
        last = now;
    }
    assert_eq!(last, whole);
}

fn encode(data: &[u8]) {
    let Some((&[first, second, k0, k1, k2, k3], rest)) = data.split_first_chunk() else {
        return;
    };
    let Some(len) = rest.first_chunk() else { return };
    let header = Header {
        fin: first & 0x80 != 0,
        rsv: Rsv::new(first),
        opcode: Opcode::new(first),
        key: (second & 0x80 != 0).then_some(MaskingKey::new([k0, k1, k2, k3])),
        payload_len: u64::from_be_bytes(*len) >> 1 >> (second & 0x3f),
    };
    let bytes = header.encode();
    let too_long = header.payload_len > MAX_CONTROL_BYTES as u64;
    let half_code = header.opcode == Opcode::CLOSE && header.payload_len == 1;
    if header.opcode.is_control() && (!header.fin || too_long || half_code) {
        assert!(Header::parse(&bytes).is_err());
    } else {
        assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len()))));
    }
}
