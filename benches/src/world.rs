//! The made shop that every bench measures: who did what, when, on which device, from a seed and nothing else.
//!
//! Any event can be computed from its number, so no side has to keep them. Activity is skewed (the most active of a million
//! profiles has about ten thousand of ten million events), time goes forward over 90 days with an hour of jitter, and every
//! fiftieth line delivers an earlier message again. The world also knows the truth about who is who, for the peers.

/// 2025-01-01T00:00:00Z.
pub const BEGIN_MS: i64 = 1_735_689_600_000;
/// One hour, the jitter of event times.
pub const HOUR_MS: i64 = 3_600_000;
/// One day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// How long the shop is watched.
pub const SPAN_MS: i64 = 90 * DAY_MS;
/// The instant of every question: no event is later.
pub const AS_OF_MS: i64 = BEGIN_MS + SPAN_MS + HOUR_MS;

/// The event names with their weights in percent.
pub const KINDS: [(&str, u64); 8] = [
    ("Product Viewed", 38),
    ("Product List Viewed", 17),
    ("cart.add", 14),
    ("Products Searched", 9),
    ("Email Opened", 8),
    ("Checkout Started", 5),
    ("Order Completed", 5),
    ("cart.remove", 4),
];

/// A line of the input delivers an earlier message again if its number ends so.
const REDELIVERY_EVERY: u64 = 50;
/// Of ten profiles, so many log in at some time ...
const KNOWN_OF_TEN: u64 = 7;
/// ... and of seven of their messages, so many carry the user id: half of all messages do.
const IDENTIFIED_OF_SEVEN: u64 = 5;
/// A profile has at most so many devices.
const MAX_DEVICES: u64 = 3;

/// Scrambles a number: the source of all chance here (splitmix64).
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How large the shop is, and which of its possible histories is meant.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Lines of the input, redeliveries included.
    pub n_events: u64,
    /// Visitors, each with one to three devices.
    pub n_profiles: u64,
    /// The seed.
    pub seed: u64,
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Unique per event.
    pub message_id: u128,
    /// Who.
    pub profile: u64,
    /// On which of the visitor's devices.
    pub device: u64,
    /// Whether the message carries the user id.
    pub is_identified: bool,
    /// When.
    pub occurred_at_ms: i64,
    /// Which of [`KINDS`].
    pub kind: u8,
    /// Price, revenue or value in cents, as its kind has it.
    pub cents: i64,
    /// How many.
    pub quantity: u64,
    /// A product.
    pub sku: u64,
}

impl World {
    /// The number of the event that a line delivers: its own, or an earlier one of any age.
    pub fn event_of_line(&self, line: u64) -> u64 {
        if line % REDELIVERY_EVERY != REDELIVERY_EVERY - 1 {
            return line;
        }
        let earlier = mix(line ^ self.seed.rotate_left(17)) % line;
        if earlier % REDELIVERY_EVERY == REDELIVERY_EVERY - 1 { earlier - 1 } else { earlier }
    }

    /// How many different messages the first lines hold.
    pub fn n_messages(&self, lines: u64) -> u64 {
        lines - lines / REDELIVERY_EVERY
    }

    /// Whether a line is the first delivery of its event.
    pub fn is_first_delivery(&self, line: u64) -> bool {
        self.event_of_line(line) == line
    }

    /// An event by its number.
    pub fn event(&self, number: u64) -> Event {
        let a = mix(number ^ self.seed);
        let b = mix(a);
        let c = mix(b);
        let uniform = (a >> 11) as f64 / (1u64 << 53) as f64;
        let rank = (uniform * uniform * self.n_profiles as f64) as u64;
        let profile = self.scatter(rank);
        let progress = number as f64 / self.n_events as f64;
        let kind = kind_of(c % 100);
        let is_known = self.is_known(profile);
        Event {
            message_id: (u128::from(a) << 64) | u128::from(c),
            profile,
            device: (b >> 40) % self.n_devices(profile),
            is_identified: is_known && (b >> 50) % 7 < IDENTIFIED_OF_SEVEN,
            occurred_at_ms: BEGIN_MS + (progress * SPAN_MS as f64) as i64 + (b % HOUR_MS as u64) as i64,
            kind,
            cents: match KINDS[usize::from(kind)].0 {
                "Order Completed" | "Checkout Started" => 500 + ((c >> 8) % 29_500) as i64,
                _ => 100 + ((c >> 8) % 9_900) as i64,
            },
            quantity: 1 + (c >> 24) % 3,
            sku: (c >> 33) % 5_000,
        }
    }

    // A bijection, so that active profiles are not neighbors: the prime divides no sensible number of profiles.
    fn scatter(&self, rank: u64) -> u64 {
        let product = u128::from(rank) * 2_654_435_761 + 12_345;
        (product % u128::from(self.n_profiles)) as u64
    }

    fn is_known(&self, profile: u64) -> bool {
        mix(profile ^ self.seed.rotate_left(29)) % 10 < KNOWN_OF_TEN
    }

    fn n_devices(&self, profile: u64) -> u64 {
        match mix(profile ^ self.seed.rotate_left(41)) % 10 {
            0..=5 => 1,
            6..=8 => 2,
            _ => MAX_DEVICES,
        }
    }

    /// The anonymous id of a device.
    pub fn anonymous_id(&self, profile: u64, device: u64) -> u128 {
        let high = mix((profile * MAX_DEVICES + device) ^ self.seed.rotate_left(53));
        (u128::from(high) << 64) | u128::from(mix(high))
    }
}

fn kind_of(percent: u64) -> u8 {
    let mut left = percent;
    for (kind, (_, weight)) in (0u8..).zip(KINDS) {
        if left < weight {
            return kind;
        }
        left -= weight;
    }
    0
}

/// A person as the truth knows it: the user of a profile with the devices on which that user was seen, or a device alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonNumber(pub u32);

/// Who is who, from the whole history.
pub struct Truth {
    world: World,
    linked: Vec<bool>,
}

impl Truth {
    /// Reads the history once: a device on which a user was seen belongs to that user.
    pub fn of(world: &World) -> Truth {
        let mut linked = vec![false; (world.n_profiles * MAX_DEVICES) as usize];
        for line in (0..world.n_events).filter(|line| world.is_first_delivery(*line)) {
            let event = world.event(line);
            if event.is_identified {
                linked[(event.profile * MAX_DEVICES + event.device) as usize] = true;
            }
        }
        Truth { world: *world, linked }
    }

    /// The person of an event.
    pub fn person(&self, event: &Event) -> PersonNumber {
        let is_linked = self.linked[(event.profile * MAX_DEVICES + event.device) as usize];
        let part = if is_linked { 0 } else { 1 + event.device };
        PersonNumber(u32::try_from(event.profile * 4 + part).expect("there are fewer than a billion profiles"))
    }

    /// A device on which the user of a profile was seen.
    pub fn linked_device(&self, profile: u64) -> Option<u64> {
        (0..MAX_DEVICES).find(|device| self.linked[(profile * MAX_DEVICES + device) as usize])
    }

    /// Everybody who did something, in order, with how many events they have.
    pub fn people(&self) -> Vec<(PersonNumber, u32)> {
        let mut n_events = vec![0u32; (self.world.n_profiles * 4) as usize];
        for line in (0..self.world.n_events).filter(|line| self.world.is_first_delivery(*line)) {
            n_events[self.person(&self.world.event(line)).0 as usize] += 1;
        }
        let numbered = (0u32..).map(PersonNumber).zip(n_events);
        numbered.filter(|(_, n_events)| *n_events > 0).collect()
    }
}

impl PersonNumber {
    /// The profile that it is, or has a device of.
    pub fn profile(self) -> u64 {
        u64::from(self.0) / 4
    }

    /// Whether it has a user id; if not, it is one device.
    pub fn is_known(self) -> bool {
        self.0.is_multiple_of(4)
    }
}

impl World {
    /// An identifier of a person: its type and value.
    pub fn identifier(&self, person: PersonNumber) -> (&'static str, String) {
        if person.is_known() {
            return ("user_id", user_id(person.profile()));
        }
        let device = u64::from(person.0) % 4 - 1;
        ("anonymous_id", uuid(self.anonymous_id(person.profile(), device)))
    }
}

/// The user id of a profile.
pub fn user_id(profile: u64) -> String {
    format!("user-{profile}")
}

/// The usual text of a 128-bit id.
pub fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
