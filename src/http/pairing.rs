//! Pairing: how a phone comes by its token.
//!
//! Somebody at the unit opens pairing for a member, for some minutes, and gets a code of 128 random bits to show as a QR
//! code. The first phone that sends it to `POST /api/v1/pair` gets a token of 256 random bits, once; of both only hashes
//! are kept here. A request that failed, or that was cut off before the token was durable, has used nothing up. The
//! minutes go on while the unit is suspended. A wrong code is 403 and counts as a wrong credential of that address; closed is 410.
//!
//! Where somebody cannot scan, and only when asked for, there is a short code beside it: 8 digits to type in. Five wrong ones,
//! from wherever, close it alone; the long code stays good.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::credentials::{hash_token, new_token, random_hex};
use super::gate::wall_now;
use super::problem::Problem;
use super::reply::json;
use super::service::Call;
use super::{locked, login};
use crate::clock::{Boot, Clock, Wall};
use crate::feed::{Device, Scope, TokenHash};

/// For whom pairing is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The member whose phone it will be.
    pub member: String,
    /// What the phone may do.
    pub scopes: Vec<Scope>,
    /// After how many days its token ends; `None` is never.
    pub days: Option<u32>,
}

/// The way in for new phones: opened from inside, closed by the first phone, by time, or from inside. Cheap to clone;
/// clones are the same.
#[derive(Clone, Debug)]
pub struct Pairing {
    open: Arc<Mutex<Option<Window>>>,
    clock: Clock,
}

impl Default for Pairing {
    fn default() -> Pairing {
        Pairing { open: Arc::default(), clock: Clock::system() }
    }
}

/// The code on the unit's label, of which only a hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(TokenHash);

impl Label {
    /// The one that a file holds: 8 to 64 letters, digits and dashes on one line.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn read(text: &str) -> Result<Label, String> {
        let code = text.trim();
        let is_one = (8..=NAME).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let wrong = || format!("holds no code of a label: 8 to {NAME} letters, digits and dashes, on one line");
        is_one.then(|| Label(hash_token(code))).ok_or_else(wrong)
    }
}

#[derive(Clone, Debug)]
struct Window {
    code: TokenHash,
    short: Option<Short>,
    invitation: Invitation,
    until: Boot,
    /// Opened by the button: whatever is no code is a try at the label's.
    by_button: bool,
}

/// A code to type in, while it may be.
#[derive(Clone, Debug)]
struct Short {
    code: TokenHash,
    tries: u32,
}

const DIGITS: usize = 8;
const TRIES: u32 = 5;
/// For how long the button opens it.
const PRESS: Duration = Duration::from_secs(120);

impl Window {
    /// Whether `code` opens it. A wrong one of eight digits is a try at the short code, any wrong one at a label's.
    fn opens(&mut self, code: &str) -> bool {
        let known = hash_token(code);
        if self.code == known {
            return true;
        }
        let is_short = code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
        let Some(short) = self.short.as_mut().filter(|_| is_short || self.by_button) else { return false };
        if short.code == known {
            return true;
        }
        short.tries += 1;
        if short.tries >= TRIES {
            self.short = None;
        }
        false
    }

    /// Whether nothing can open it any more.
    fn is_over(&self, now: Boot) -> bool {
        self.until <= now || (self.by_button && self.short.is_none())
    }
}

/// A window that a phone has come to. Given back when it is dropped, unless another was opened since.
#[derive(Debug)]
struct Taken<'a> {
    pairing: &'a Pairing,
    window: Option<Window>,
}

impl Taken<'_> {
    /// The phone is paired.
    fn use_up(mut self) {
        self.window = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(window) = self.window.take() {
            locked(&self.pairing.open).get_or_insert(window);
        }
    }
}

/// Why a code pairs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shut {
    Wrong,
    Closed,
}

impl Pairing {
    /// Opens pairing for one phone within `minutes` (1 to 60); the code. What was open before is closed.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn open(&self, invitation: Invitation, minutes: u32) -> Result<String, String> {
        self.open_by(invitation, minutes, None)
    }

    /// The same, with a short code beside the long one: the long one, and the short one of 8 digits.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn open_with_short_code(&self, invitation: Invitation, minutes: u32) -> Result<(String, String), String> {
        let number = getrandom::u64().map_err(|error| format!("the system gives no random bits: {error}"))?;
        let short = format!("{:0DIGITS$}", number % 10_u64.pow(DIGITS as u32));
        let long = self.open_by(invitation, minutes, Some(&short))?;
        Ok((long, short))
    }

    fn open_by(&self, invitation: Invitation, minutes: u32, short: Option<&str>) -> Result<String, String> {
        if invitation.member.is_empty() || invitation.member.len() > NAME || invitation.member.chars().any(char::is_control) {
            return Err(format!("a member's name has 1 to {NAME} bytes and no control characters"));
        }
        if invitation.scopes.is_empty() {
            return Err("name at least one of the scopes read, control, publish, admin".to_owned());
        }
        if !(1..=60).contains(&minutes) {
            return Err("pairing can be open for 1 to 60 minutes".to_owned());
        }
        let code = random_hex::<16>().map_err(|error| format!("the system gives no random bits: {error}"))?;
        let until = self.clock.now() + Duration::from_secs(u64::from(minutes) * 60);
        let short = short.map(|short| Short { code: hash_token(short), tries: 0 });
        *locked(&self.open) = Some(Window { code: hash_token(&code), short, invitation, until, by_button: false });
        Ok(code)
    }

    /// The button: opens it by the label's code alone, for 2 minutes, for a phone of the member `owner` that may `read` and
    /// `control`. What was opened from inside stays as it is; whether it did open.
    ///
    /// # Errors
    /// When the system gives no random bits.
    pub fn press(&self, label: &Label) -> Result<bool, String> {
        // Nobody ever has this one.
        let code = random_hex::<16>().map_err(|error| format!("the system gives no random bits: {error}"))?;
        let now = self.clock.now();
        let mut open = locked(&self.open);
        if open.as_ref().is_some_and(|window| !window.by_button && !window.is_over(now)) {
            return Ok(false);
        }
        let invitation = Invitation { member: "owner".to_owned(), scopes: vec![Scope::Read, Scope::Control], days: None };
        let short = Some(Short { code: label.0, tries: 0 });
        *open = Some(Window { code: hash_token(&code), short, invitation, until: now + PRESS, by_button: true });
        Ok(true)
    }

    /// Closes it.
    pub fn close(&self) {
        *locked(&self.open) = None;
    }

    /// Takes the window that `code` opens: whoever is first has it, and it is closed.
    fn take(&self, code: &str) -> Result<Taken<'_>, Shut> {
        self.take_at(self.clock.now(), code)
    }

    fn take_at(&self, now: Boot, code: &str) -> Result<Taken<'_>, Shut> {
        let mut open = locked(&self.open);
        open.take_if(|window| window.is_over(now));
        match open.take_if(|window| window.opens(code)) {
            Some(window) => Ok(Taken { pairing: self, window: Some(window) }),
            None if open.is_some() => Err(Shut::Wrong),
            None => Err(Shut::Closed),
        }
    }
}

/// Longest name of a member or a device, in bytes.
const NAME: usize = 64;
const BODY: usize = 4096;
const DAY_US: i64 = 86_400_000_000;

pub(super) async fn pair(call: &mut Call<'_>) -> Result<Response<Body>, Problem> {
    if let Some(problem) = call.shared.gate.closed_out(call.address) {
        return Err(problem);
    }
    let body = call.json_object(BODY).await?;
    let code = text(&body, "code", "`code` must be the pairing code, as text")?;
    let name = text(&body, "device", "`device` must be a name for this phone, 1 to 64 bytes without control characters")?;
    let shared = call.shared;
    let taken = shared.pairing.take(code).map_err(|shut| refused(call, shut))?;
    let Some(window) = &taken.window else { return Err(refused(call, Shut::Closed)) };
    let (mut answer, token) = add(call, window, name).await?;
    taken.use_up();
    call.watch.signed_in();
    login::remember(call, &mut answer, token).await;
    Ok(answer)
}

fn refused(call: &Call<'_>, shut: Shut) -> Problem {
    match shut {
        Shut::Closed => {
            Problem::new(StatusCode::GONE, "pairing is closed; open it at the unit with `telltale pair`, or its button")
        }
        Shut::Wrong => {
            call.shared.gate.wrong(call.address, None);
            Problem::new(
                StatusCode::FORBIDDEN,
                "that is not the code; scan the one that the unit shows now, or type in the one on its label after its button was pressed",
            )
        }
    }
}

/// The answer to a phone that is paired now, and its token's hash.
async fn add(call: &Call<'_>, window: &Window, name: &str) -> Result<(Response<Body>, TokenHash), Problem> {
    let no_bits = |_| Problem::unavailable("the system gives no random bits; try again");
    let Invitation { member, scopes, days } = &window.invitation;
    let vin = call.own_vehicle()?;
    let now = wall_now(&*call.shared.feed);
    let expires = match (days, now) {
        (None, _) => None,
        (Some(days), Some(now)) => Some(Wall::from_micros(now.micros().saturating_add(i64::from(*days).saturating_mul(DAY_US)))),
        (Some(_), None) => {
            return Err(Problem::unavailable(
                "the unit does not know the time yet, from which the days would count; try again outdoors",
            ));
        }
    };
    let token = new_token().map_err(no_bits)?;
    let device = Device {
        id: random_hex::<8>().map_err(no_bits)?,
        name: name.to_owned(),
        member: member.clone(),
        scopes: scopes.clone(),
        paired: now.unwrap_or_else(Wall::build),
        expires,
    };
    let hash = hash_token(&token);
    call.shared.feed.add_device(hash, device).await?;
    let unit = call.shared.settings.unit;
    let answer = json!({"token": token, "member": member, "scopes": scopes, "vin": vin, "unit": unit});
    Ok((json(StatusCode::CREATED, &answer), hash))
}

fn text<'a>(body: &'a Map<String, Value>, name: &str, sentence: &str) -> Result<&'a str, Problem> {
    let is_name = |text: &&str| !text.is_empty() && text.len() <= NAME && !text.chars().any(char::is_control);
    body.get(name).and_then(Value::as_str).filter(is_name).ok_or_else(|| Problem::field(name, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        Invitation { member: "mum".to_owned(), scopes: vec![Scope::Read], days: None }
    }

    #[test]
    fn a_code_pairs_one_phone_in_its_time() {
        let pairing = Pairing::default();
        assert_eq!(pairing.take("x").err(), Some(Shut::Closed));
        let code = pairing.open(invitation(), 2).unwrap();
        assert_eq!(code.len(), 32);
        assert_eq!(pairing.take("x").err(), Some(Shut::Wrong));
        pairing.take(&code).unwrap().use_up();
        assert_eq!(pairing.take(&code).err(), Some(Shut::Closed), "once");
        let code = pairing.open(invitation(), 2).unwrap();
        let before_its_end = pairing.clock.now() + Duration::from_secs(119);
        assert_eq!(pairing.take_at(before_its_end, "x").err(), Some(Shut::Wrong));
        let end = pairing.clock.now() + Duration::from_secs(120);
        assert_eq!(pairing.take_at(end, &code).err(), Some(Shut::Closed));
        assert_eq!(pairing.take(&code).err(), Some(Shut::Closed));
    }

    #[test]
    fn a_new_code_closes_the_old_one_and_what_failed_can_be_tried_again() {
        let pairing = Pairing::default();
        let old = pairing.open(invitation(), 2).unwrap();
        let new = pairing.open(invitation(), 2).unwrap();
        assert_eq!(pairing.take(&old).err(), Some(Shut::Wrong));
        drop(pairing.take(&new).unwrap());
        let slow = pairing.take(&new).unwrap();
        let newest = pairing.open(invitation(), 2).unwrap();
        drop(slow);
        assert_eq!(pairing.take(&new).err(), Some(Shut::Wrong), "what was opened since stays open");
        pairing.take(&newest).unwrap().use_up();
        pairing.open(invitation(), 2).unwrap();
        pairing.close();
        assert_eq!(pairing.take(&new).err(), Some(Shut::Closed));
    }

    #[test]
    fn five_tries_close_the_short_code_alone() {
        let pairing = Pairing::default();
        let wrong = |right: &str, n: u32| format!("{:08}", (right.parse::<u32>().unwrap() + n) % 100_000_000);
        let (_, short) = pairing.open_with_short_code(invitation(), 2).unwrap();
        assert!(short.len() == 8 && short.bytes().all(|digit| digit.is_ascii_digit()));
        for n in 1..5 {
            assert_eq!(pairing.take(&wrong(&short, n)).err(), Some(Shut::Wrong));
            assert_eq!(pairing.take("0123").err(), Some(Shut::Wrong), "no try at the short code");
        }
        drop(pairing.take(&short).unwrap());
        assert_eq!(pairing.take(&wrong(&short, 5)).err(), Some(Shut::Wrong), "what was cut off gives no new tries");
        assert_eq!(pairing.take(&short).err(), Some(Shut::Wrong), "the fifth");

        let (long, short) = pairing.open_with_short_code(invitation(), 2).unwrap();
        (1..=5).for_each(|n| assert_eq!(pairing.take(&wrong(&short, n)).err(), Some(Shut::Wrong)));
        assert_eq!(pairing.take(&short).err(), Some(Shut::Wrong));
        pairing.take(&long).unwrap().use_up();
        pairing.open_with_short_code(invitation(), 2).map(|(_, short)| pairing.take(&short).unwrap().use_up()).unwrap();
        assert_eq!(pairing.take(&short).err(), Some(Shut::Closed), "for one phone");
    }

    #[test]
    fn the_button_opens_two_minutes_for_who_has_the_label_and_five_tries() {
        let pairing = Pairing::default();
        let label = Label::read("K7QF-93PL\n").unwrap();
        assert_eq!(pairing.take("K7QF-93PL").err(), Some(Shut::Closed), "the label alone opens nothing");
        assert_eq!(pairing.press(&label), Ok(true));
        let end = |seconds| pairing.clock.now() + Duration::from_secs(seconds);
        let taken = pairing.take_at(end(119), "K7QF-93PL").unwrap();
        let invitation = taken.window.as_ref().map(|window| window.invitation.clone()).unwrap();
        assert_eq!((invitation.member.as_str(), invitation.scopes), ("owner", vec![Scope::Read, Scope::Control]));
        taken.use_up();
        assert_eq!(pairing.take("K7QF-93PL").err(), Some(Shut::Closed), "for one phone");

        pairing.press(&label).unwrap();
        for wrong in ["k7qf-93pl", "1", "12345678", "K7QF93PL", "K7QF-93P"] {
            assert_eq!(pairing.take(wrong).err(), Some(Shut::Wrong), "{wrong}");
        }
        assert_eq!(pairing.take("K7QF-93PL").err(), Some(Shut::Closed), "five tries");
        pairing.press(&label).unwrap();
        assert_eq!(pairing.take("x").err(), Some(Shut::Wrong));
        assert_eq!(pairing.press(&label), Ok(true), "again");
        assert_eq!(pairing.take_at(end(121), "K7QF-93PL").err(), Some(Shut::Closed));

        let code = pairing.open(self::invitation(), 2).unwrap();
        assert_eq!(pairing.press(&label), Ok(false), "what was opened from inside stays");
        assert_eq!(pairing.take("K7QF-93PL").err(), Some(Shut::Wrong));
        pairing.take(&code).unwrap().use_up();
    }

    #[test]
    fn a_label_is_a_code_on_one_line() {
        for wrong in ["", "1234567", "a code with spaces", "12345678\n12345678", "schlüssel", &"x".repeat(65)] {
            assert!(Label::read(wrong).unwrap_err().contains("8 to 64"), "{wrong:?}");
        }
        assert_eq!(Label::read(" 12345678 "), Label::read("12345678"));
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let open = |change: fn(&mut Invitation), minutes| {
            let mut invitation = invitation();
            change(&mut invitation);
            Pairing::default().open(invitation, minutes).unwrap_err()
        };
        assert!(open(|i| i.member.clear(), 2).contains("1 to 64"));
        assert!(open(|i| i.scopes.clear(), 2).contains("at least one"));
        assert!(open(|_| {}, 0).contains("1 to 60"));
    }
}
