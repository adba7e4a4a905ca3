//! National telephone numbers: the regions that there are, and a number of a region in E.164.
//!
//! Part of the feature `phone`. A build without it refuses a region, so that no number is ever normalized in two ways.

/// Why a text is no region, if it is none.
#[cfg(feature = "phone")]
pub(super) fn check_region(region: &str) -> Result<(), &'static str> {
    let found = region.parse::<phonenumber::country::Id>();
    found.map(|_| ()).map_err(|_| "not a region; give its two letters as ISO 3166 has them, such as \"DE\"")
}

/// Why a text is no region: this build knows none.
#[cfg(not(feature = "phone"))]
pub(super) fn check_region(_: &str) -> Result<(), &'static str> {
    Err("this build knows no regions of telephone numbers; build cdp-core with the feature `phone`, or leave it out")
}

/// A text that is a valid number of a region, in E.164.
#[cfg(feature = "phone")]
pub(crate) fn national_number(text: &str, region: &str) -> Option<String> {
    let number = phonenumber::parse(region.parse().ok(), text).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// No number: definitions of this build have no region.
#[cfg(not(feature = "phone"))]
pub(crate) fn national_number(_: &str, _: &str) -> Option<String> {
    None
}

#[cfg(test)]
#[cfg(not(feature = "phone"))]
mod tests {
    use crate::definitions::Definition;
    use crate::records::Value;

    #[test]
    fn a_build_without_telephone_numbers_refuses_a_region() {
        let identity = br#"{"kind": "identity", "name": "default", "identifiers": [
            {"type": "mobile", "role": "contact", "priority": 1, "normalize": "phone", "default_region": "DE"}]}"#;
        let error = Definition::from_value(&Value::parse(identity).unwrap()).unwrap_err();
        assert!(error.message().contains("feature `phone`"), "{}", error.message());
    }
}
