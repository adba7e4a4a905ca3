//! Events as the text that a shop would send: messages in the form of the Segment spec.
//!
//! With context a track message has about 620 bytes, as a browser sends it; without, it is what a server sends.

use std::fmt::Write;

use cdp_core::records::Timestamp;

use crate::world::{AS_OF_MS, DAY_MS, Event, HOUR_MS, KINDS, PersonNumber, World, mix, user_id, uuid};

const CATEGORIES: [&str; 8] = ["shoes", "shirts", "toys", "garden", "books", "audio", "beauty", "grocery"];
const CITIES: [&str; 6] = ["Lyon", "Porto", "Leeds", "Graz", "Turin", "Ghent"];

/// What a message says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The time of the event.
    Time,
    /// Another time, as a client with a wrong clock tells it on a retry.
    OtherTime(i64),
    /// None.
    Nothing,
}

/// Appends a track message and a line end.
pub fn write_track(world: &World, event: &Event, with_context: bool, told: Told, out: &mut String) {
    let message_id = uuid(event.message_id);
    let anonymous_id = uuid(world.anonymous_id(event.profile, event.device));
    put(out, format_args!(r#"{{"type":"track","messageId":"{message_id}","anonymousId":"{anonymous_id}","#));
    if event.is_identified {
        put(out, format_args!(r#""userId":"user-{}","#, event.profile));
    }
    put(out, format_args!(r#""event":"{}","#, KINDS[usize::from(event.kind)].0));
    let time = match told {
        Told::Time => Some(event.occurred_at_ms),
        Told::OtherTime(millis) => Some(millis),
        Told::Nothing => None,
    };
    if let Some(time) = time {
        put(out, format_args!(r#""timestamp":"{}","#, Timestamp::from_millis(time)));
    }
    if with_context {
        if let Some(time) = time {
            put(out, format_args!(r#""sentAt":"{}","#, Timestamp::from_millis(time + 700)));
        }
        write_context(event, out);
    }
    out.push_str(r#""properties":"#);
    write_properties(event, out);
    out.push_str("}\n");
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("text grows without failing");
}

fn write_context(event: &Event, out: &mut String) {
    let (a, b, c) = (event.profile >> 16 & 255, event.profile >> 8 & 255, event.profile & 255);
    let sku = event.sku;
    put(
        out,
        format_args!(
            concat!(
                r#""context":{{"ip":"10.{}.{}.{}","library":{{"name":"analytics.js","version":"next-1.66.0"}},"#,
                r#""locale":"en-US","page":{{"path":"/p/{}","url":"https://shop.example/p/{}"}},"#,
                r#""userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"}},"#
            ),
            a, b, c, sku, sku
        ),
    );
}

fn write_properties(event: &Event, out: &mut String) {
    let (sku, quantity, tag) = (event.sku, event.quantity, event.message_id as u32);
    let money = format_args!("{}.{:02}", event.cents / 100, event.cents % 100).to_string();
    let category = CATEGORIES[(event.sku % 8) as usize];
    match KINDS[usize::from(event.kind)].0 {
        "Order Completed" => put(
            out,
            format_args!(
                r#"{{"order_id":"o-{tag:08x}","revenue":{money},"quantity":{quantity},"category":"{category}","currency":"USD","coupon":"c{sku}"}}"#
            ),
        ),
        "Checkout Started" => put(
            out,
            format_args!(
                r#"{{"order_id":"o-{tag:08x}","value":{money},"quantity":{quantity},"category":"{category}","currency":"USD","coupon":"c{sku}"}}"#
            ),
        ),
        "Products Searched" | "Product List Viewed" | "Email Opened" => put(
            out,
            format_args!(
                r#"{{"path":"/p/{sku}","title":"Products of {category}","referrer":"https://search.example/{tag:08x}","value":{money}}}"#
            ),
        ),
        _ => put(
            out,
            format_args!(
                r#"{{"product_id":"sku-{sku}","price":{money},"quantity":{quantity},"category":"{category}","currency":"USD","cart_id":"c-{tag:08x}"}}"#
            ),
        ),
    }
}

/// Appends an identify message with ten traits for a user, and a line end.
pub fn write_traits(world: &World, person: PersonNumber, out: &mut String) {
    let profile = person.profile();
    let chance = mix(profile ^ world.seed.rotate_left(7));
    let message_id = uuid((u128::from(chance) << 64) | u128::from(mix(chance)));
    let time = Timestamp::from_millis(AS_OF_MS - 1 - (chance % (60 * DAY_MS as u64)) as i64);
    put(
        out,
        format_args!(
            concat!(
                r#"{{"type":"identify","messageId":"{}","userId":"{}","timestamp":"{}","traits":{{"first_name":"N{}","#,
                r#""last_name":"M{}","plan":"{}","city":"{}","country":"FR","age":{},"gender":"x","points":{},"#,
                r#""newsletter":{},"signup_source":"{}"}}}}"#
            ),
            message_id,
            user_id(profile),
            time,
            profile % 997,
            profile % 7919,
            if chance & 1 == 0 { "free" } else { "pro" },
            CITIES[(chance >> 8) as usize % CITIES.len()],
            18 + (chance >> 16) % 60,
            (chance >> 24) % 10_000,
            chance & 2 == 0,
            if chance & 4 == 0 { "web" } else { "app" },
        ),
    );
    out.push('\n');
}

/// Appends an identify message that links a device to a user, and a line end.
pub fn write_link(message_id: u128, anonymous_id: &str, user_id: &str, out: &mut String) {
    let (message_id, time) = (uuid(message_id), Timestamp::from_millis(AS_OF_MS - 1));
    put(
        out,
        format_args!(
            r#"{{"type":"identify","messageId":"{message_id}","anonymousId":"{anonymous_id}","userId":"{user_id}","timestamp":"{time}"}}"#
        ),
    );
    out.push('\n');
}

/// Appends a product view by a person in the last hour, and a line end.
pub fn write_view(world: &World, person: PersonNumber, chance: u64, out: &mut String) {
    let message_id = uuid((u128::from(chance) << 64) | u128::from(mix(chance)));
    let time = Timestamp::from_millis(AS_OF_MS - (chance % HOUR_MS as u64) as i64);
    let (kind, value) = world.identifier(person);
    let field = if kind == "user_id" { "userId" } else { "anonymousId" };
    let price = 1 + chance % 99;
    put(
        out,
        format_args!(
            r#"{{"type":"track","messageId":"{message_id}","{field}":"{value}","event":"Product Viewed","timestamp":"{time}","properties":{{"price":{price}}}}}"#
        ),
    );
    out.push('\n');
}
