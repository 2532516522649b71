//! Which workloads there are.

use crate::aligned::Aligned;
use crate::deflate::{self, Context};
use crate::frames;
use crate::workloads::{
    Content, FRAGMENT_BYTES, Job, MaybeTap, Message, REQUEST, ROUND_BYTES, Receive, Send, Workload,
};

/// Messages of a round of short ones.
const MOST_MESSAGES: usize = 1024;

/// Messages of a round of long ones, so that a read may have the end of one and the beginning of the next.
const LEAST_MESSAGES: usize = 4;

const READ: usize = 16 << 10;
const LONG_READ: usize = 64 << 10;

/// Takes a job, by the name of its group and its own.
type Add<'a> = &'a mut dyn FnMut(&str, String, Job);

/// All of them, in the order of the tables.
pub fn all(tap: &MaybeTap) -> Vec<Workload> {
    let mut all = Vec::new();
    let add: Add<'_> = &mut |group, case, job| {
        all.push(Workload {
            group: group.into(),
            case,
            job,
        });
    };
    for (server, role) in [(true, "server"), (false, "client")] {
        for content in [Content::Binary, Content::Ascii, Content::Mixed] {
            if server || content != Content::Ascii {
                receiving(
                    server,
                    &format!("receive {role} {}", content.name()),
                    content,
                    add,
                );
            }
        }
    }
    for content in [Content::Binary, Content::Mixed] {
        receiving_1_mib(content, add);
    }
    for (server, masking) in [(false, "masked"), (true, "unmasked")] {
        sending(server, masking, tap, add);
    }
    for (context, name) in Context::ALL {
        compressed(context, name, tap, add);
    }
    kernels(add);
    let name = format!("{} B", REQUEST.len());
    add("handshake server", name, Job::Handshake(tap.clone()));
    all
}

fn receiving(server: bool, group: &str, content: Content, add: Add<'_>) {
    let sizes: &[usize] = match content {
        Content::Binary => &[8, 32, 64, 125, 512, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20],
        _ => &[8, 32, 125, 1 << 10, 4 << 10, 1 << 20],
    };
    let job = |len, read_bytes| Job::Receive(receive(server, many(content, len), read_bytes));
    for &len in sizes {
        add(group, size(len), job(len, READ));
    }
    let blend = Job::Receive(receive(server, blend(content), READ));
    add(group, "blend".into(), blend);
    if server {
        let group = format!("{group} 64K reads");
        for &len in sizes.iter().filter(|&&len| len >= 1 << 10) {
            add(&group, size(len), job(len, LONG_READ));
        }
    }
}

fn receiving_1_mib(content: Content, add: Add<'_>) {
    for pieces in [false, true] {
        let how = if pieces { "pieces" } else { "whole" };
        let group = format!("receive 1M {how}");
        for (fragmented, cut) in [(false, "one frame"), (true, "4K fragments")] {
            let messages = many(content, 1 << 20);
            let fragment_bytes = if fragmented { FRAGMENT_BYTES } else { usize::MAX };
            let job = Receive {
                bytes: Aligned::source(&frames::encode(true, &messages, fragment_bytes)),
                fragmented,
                pieces,
                ..receive(true, messages, LONG_READ)
            };
            add(&group, format!("{} {cut}", content.name()), Job::Receive(job));
        }
    }
}

fn sending(server: bool, masking: &str, tap: &MaybeTap, add: Add<'_>) {
    let job = |content, len| {
        Job::Send(Send {
            server,
            messages: many(content, len),
            deflate: None,
            tap: tap.clone(),
        })
    };
    for len in [8, 32, 125, 1 << 10, 4 << 10, 16 << 10, 64 << 10] {
        add(
            &format!("send {masking} binary"),
            size(len),
            job(Content::Binary, len),
        );
    }
    for len in [32, 1 << 10] {
        add(
            &format!("send {masking} utf8"),
            size(len),
            job(Content::Mixed, len),
        );
    }
}

fn compressed(context: Context, name: &str, tap: &MaybeTap, add: Add<'_>) {
    for len in [256, 4 << 10, 64 << 10] {
        let received = receive_compressed(deflate::messages(len, deflate::RECEIVED_BYTES), context);
        let group = format!("receive deflate context {name}");
        add(&group, size(len), Job::Receive(received));
        let sent = Send {
            server: true,
            messages: deflate::messages(len, deflate::SENT_BYTES),
            deflate: Some(context),
            tap: tap.clone(),
        };
        let group = format!("send deflate context {name}");
        add(&group, size(len), Job::Send(sent));
    }
}

fn kernels(add: Add<'_>) {
    for len in [512, 1 << 10, 16 << 10] {
        add("mask", size(len), Job::Mask(len));
    }
    for content in [Content::Ascii, Content::Mixed] {
        for len in [32, 125, 1 << 10, 16 << 10] {
            let text = || content.message(len, 0).payload.to_vec();
            let name = content.name();
            add(&format!("validate {name}"), size(len), Job::Validate(text()));
            let group = format!("unmask and validate {name}");
            add(&group, size(len), Job::UnmaskText(text()));
        }
    }
}

/// A connection that has received one message.
pub fn idle() -> Job {
    Job::Receive(receive(true, vec![Content::Binary.message(32, 0)], READ))
}

fn many(content: Content, len: usize) -> Vec<Message> {
    let least = if len > ROUND_BYTES { 1 } else { LEAST_MESSAGES };
    let count = (ROUND_BYTES / len).clamp(least, MOST_MESSAGES);
    (0..count).map(|number| content.message(len, number)).collect()
}

/// Six in ten up to 64 bytes, three up to 125, one up to 1 KiB.
fn blend(content: Content) -> Vec<Message> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n) as usize
    };
    let mut len = || match below(10) {
        0..6 => 4 + below(61),
        6..9 => 65 + below(61),
        _ => 126 + below(899),
    };
    (0..512).map(|number| content.message(len(), number)).collect()
}

fn receive(server: bool, messages: Vec<Message>, read_bytes: usize) -> Receive {
    Receive {
        server,
        bytes: Aligned::source(&frames::encode(server, &messages, usize::MAX)),
        messages,
        read_bytes,
        fragmented: false,
        pieces: false,
        deflate: None,
    }
}

fn receive_compressed(messages: Vec<Message>, context: Context) -> Receive {
    Receive {
        bytes: Aligned::source(&frames::compressed(&messages, context)),
        deflate: Some(context),
        ..receive(true, messages, READ)
    }
}

fn size(len: usize) -> String {
    match len {
        0..1024 => format!("{len} B"),
        1024..0x10_0000 => format!("{}K", len >> 10),
        _ => format!("{}M", len >> 20),
    }
}
