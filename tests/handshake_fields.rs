//! URLs, keys, extension lists and field lines (RFC 6455 §3, §4.3, §9.1; RFC 9110 §5).
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;

use heads::{unescape, vectors};
use ws_proto::extension::{self, Extension, ExtensionError, MAX_EXTENSIONS, MAX_PARAMETERS};
use ws_proto::handshake::{Field, Fields, Key, Url, UrlError};

fn describe(url: Result<Url<'_>, UrlError>) -> String {
    let url = match url {
        Ok(url) => url,
        Err(error) => return format!("{error:?}"),
    };
    let scheme = if url.is_secure() { "secure" } else { "plain" };
    format!(
        "{scheme} {} {} {} {}",
        url.host(),
        url.port(),
        url.resource_name(),
        url.authority()
    )
}

#[test]
fn s3_url_vectors() {
    let vectors = vectors(include_str!("vectors/urls.txt"));
    assert_eq!(vectors.len(), 66);
    for cells in vectors {
        let [id, url, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        let url = String::from_utf8(unescape(url)).unwrap();
        assert_eq!(describe(Url::parse(&url)), expected, "{id} {url:?}");
    }
}

#[test]
fn s3_no_ascii_byte_but_the_grammars_enters_a_url() {
    let allowed = b"-._~!$&'()*+,;=:@/?";
    for byte in (0..=0x7fu8).filter(|byte| !byte.is_ascii_alphanumeric() && !b"#%".contains(byte)) {
        let url = format!("ws://h/a?b{}c", char::from(byte));
        assert_eq!(Url::parse(&url).is_ok(), allowed.contains(&byte), "{url:?}");
    }
}

#[test]
fn whatwg_http_is_mapped_on_demand_only() {
    assert_eq!(describe(Url::parse("https://h/")), "Scheme");
    assert_eq!(
        describe(Url::parse_mapping_http("https://h/")),
        "secure h 443 / h"
    );
    assert_eq!(
        describe(Url::parse_mapping_http("HTTP://h:8080")),
        "plain h 8080 / h:8080"
    );
    assert_eq!(describe(Url::parse_mapping_http("wss://h/")), "secure h 443 / h");
    assert_eq!(describe(Url::parse_mapping_http("ftp://h/")), "Scheme");
}

#[test]
fn s3_url_is_rebuilt_from_its_parts() {
    let url = Url::parse("WSS://Example.com:443?q").unwrap();
    assert_eq!(url.to_string(), "wss://Example.com/?q");
    assert_eq!((url.path(), url.query()), ("/", "q"));
}

#[test]
fn s4_2_2_key_vectors() {
    let vectors = vectors(include_str!("vectors/keys.txt"));
    assert_eq!(vectors.len(), 5);
    for cells in vectors {
        let [id, key, accept] = cells[..] else {
            panic!("{cells:?}")
        };
        let parsed = Key::parse(key.as_bytes()).unwrap();
        assert_eq!(parsed.as_str(), key, "{id}");
        assert_eq!(parsed.accept_value().as_str(), accept, "{id}");
        assert_eq!(parsed.accept_value().as_bytes()[..], *accept.as_bytes(), "{id}");
    }
}

#[test]
fn s4_1_key_encodes_16_bytes_with_zero_pad_bits() {
    let nonce = core::array::from_fn(|i| i as u8 + 1);
    assert_eq!(Key::from_nonce(nonce).as_str(), "AQIDBAUGBwgJCgsMDQ4PEA==");
    for last in 0..=255 {
        let key = Key::from_nonce([last; 16]);
        assert!(
            matches!(key.as_str().as_bytes()[21], b'A' | b'Q' | b'g' | b'w'),
            "{key:?}"
        );
        assert_eq!(Key::parse(key.as_str().as_bytes()), Some(key));
    }
}

#[test]
fn s4_3_what_is_no_key() {
    let key = b"dGhlIHNhbXBsZSBub25jZQ==";
    for (i, byte) in (0..24).flat_map(|i| (0..=255).map(move |byte| (i, byte))) {
        let mut other = *key;
        other[i] = byte;
        let base64 = byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let valid = if i < 22 { base64 } else { byte == b'=' };
        assert_eq!(Key::parse(&other).is_some(), valid, "{}", other.escape_ascii());
    }
    for length in 0..24 {
        assert_eq!(Key::parse(&key[..length]), None);
    }
    assert_eq!(Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==="), None);
}

/// A list in the notation of the vector file.
fn notation(lines: &[&[u8]]) -> String {
    let Ok(list) = extension::parse(lines.iter().copied()) else {
        return "malformed".into();
    };
    let one = |extension: Extension<'_>| {
        let parameters: Vec<_> = extension
            .parameters()
            .map(|parameter| parameter.to_string())
            .collect();
        match parameters.is_empty() {
            true => extension.name().to_string(),
            false => format!("{}({})", extension.name(), parameters.join(", ")),
        }
    };
    list.map(one).collect::<Vec<_>>().join(" / ")
}

#[test]
fn s9_1_extension_vectors() {
    let vectors = vectors(include_str!("vectors/extension_values.txt"));
    assert_eq!(vectors.len(), 22);
    for cells in vectors {
        let [id, value, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        let lines: Vec<&[u8]> = value.split(" && ").map(str::as_bytes).collect();
        assert_eq!(notation(&lines), expected, "{id}");
    }
}

#[test]
fn s9_1_more_lists() {
    for (lines, expected) in [
        (&[][..], ""),
        (&[&b""[..]], "malformed"),
        (&[b" \t "], "malformed"),
        (&[b",", b"foo"], "foo"),
        (&[b"foo;", b"x"], "malformed"),
        (&[b"\tfoo\t;\tx\t=\t\"\\y\"\t,\tbar\t"], "foo(x=y) / bar"),
        (&[b"foo; x=\"y\" z"], "malformed"),
        (&[b"foo; x=\"\\\""], "malformed"),
        (&[b"foo; x=\"y\\\\z\""], "malformed"),
        (&[b"foo; x=\"y\\"], "malformed"),
        (&[b"foo; x=\""], "malformed"),
        (&[b"foo; x=\"y\";z"], "foo(x=y, z)"),
        (&[b"foo\r\n"], "malformed"),
        (&[b"foo\0"], "malformed"),
        (&[b"f\xff"], "malformed"),
        (&[b"foo; x=\"y\0\""], "malformed"),
        (&[b"foo=1"], "malformed"),
        (&[b"\"foo\""], "malformed"),
    ] {
        assert_eq!(notation(lines), expected, "{lines:?}");
    }
}

#[test]
fn s9_1_values_compare_unescaped() {
    let mut list = extension::parse([&b"a; q=\"1\\0\"; t=10; none"[..]]).unwrap();
    let parameters: Vec<_> = list.next().unwrap().parameters().collect();
    let [quoted, token] = [0, 1].map(|i| parameters[i].value().unwrap());
    assert_eq!(quoted, token);
    assert!(quoted == "10" && quoted == *"10" && quoted != "1\\0" && quoted != "1" && quoted != "100");
    assert!(quoted.bytes().eq(*b"10"));
    assert_eq!(quoted.to_string(), "10");
    assert!(parameters[2].value().is_none());
    assert!(list.next().is_none() && list.next().is_none());
}

#[test]
fn lim_08_and_10_of_extension_lists() {
    let error = |value: String| extension::parse([value.as_bytes()]).err();
    assert_eq!(error(vec!["a"; MAX_EXTENSIONS].join(",")), None);
    assert_eq!(
        error(vec!["a"; MAX_EXTENSIONS + 1].join(",")),
        Some(ExtensionError::TooManyExtensions)
    );
    assert_eq!(error(format!("a{}", ";b=1".repeat(MAX_PARAMETERS))), None);
    let over = format!("a{}", ";b=1".repeat(MAX_PARAMETERS + 1));
    assert_eq!(error(over), Some(ExtensionError::TooManyParameters));
    assert_eq!(error(format!("{}a", ",".repeat(16))), None);
    assert_eq!(
        error(format!("{}a", ",".repeat(17))),
        Some(ExtensionError::TooManyEmptyElements)
    );
    // The limits are those of the whole list, whatever lines it is spread over.
    assert_eq!(extension::parse([&b"a"[..]; 16]).unwrap().count(), 16);
    assert_eq!(
        extension::parse([&b"a"[..]; 17]).err(),
        Some(ExtensionError::TooManyExtensions)
    );
}

#[test]
fn r9110_5_3_fields_are_handed_out_line_by_line() {
    let lines = [
        Field::new("Set-Cookie", "a=1"),
        Field::new("X", &b"\xff"[..]),
        Field::new("set-cookie", "b=2"),
    ];
    let fields = Fields::new(&lines);
    assert_eq!(fields.iter().collect::<Vec<_>>(), lines);
    assert!(fields.all("SET-COOKIE").eq([b"a=1", b"b=2"]));
    assert_eq!((fields.get("x"), fields.get("y")), (Some(&b"\xff"[..]), None));
    assert_eq!(
        format!("{fields:?}"),
        r"[Set-Cookie: a=1, X: \xff, set-cookie: b=2]"
    );
}
