//! What each column says about a person: given by the caller, recognized by its usual name, or by its content.
//!
//! A column that names a row, a cluster or a source is never compared: the truth of a labelled table must not leak in.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::nicknames::is_given_name;
use super::normalize;
use super::records::Records;
use crate::definitions::ColumnRole;
use crate::error::{Error, Result};

use ColumnRole as R;

/// How the role of a column was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// The caller said so.
    Given,
    /// Its name is a usual one.
    Name,
    /// Its values look like it.
    Content,
}

impl FoundBy {
    /// `given`, `name` or `content`.
    pub fn as_str(self) -> &'static str {
        match self {
            FoundBy::Given => "given",
            FoundBy::Name => "name",
            FoundBy::Content => "content",
        }
    }
}

/// A column with its role.
#[derive(Clone, Debug, PartialEq)]
pub struct RecognizedColumn {
    /// The column's name.
    pub column: String,
    /// What it says; [`ColumnRole::Ignore`] if it is not compared.
    pub role: ColumnRole,
    /// How that was found.
    pub found_by: FoundBy,
}

/// Usual names without spaces and signs, in English and some other languages.
const NAMES: &[(ColumnRole, &str)] = &[
    (
        R::Ignore,
        "id recid recordid uniqueid rowid rowno rownumber row index idx cluster clusterid entityid entid ent entity label \
         labels truth trueid truecluster groupid group source sourcedataset sourcetable dataset datasource matchid personid customerid userid \
         voterid ncid voterregnum registrationnumber recno key pk unnamed0 uid guid uuid goldenid identity isduplicate \
         duplicate match target truthid trueclusterid soundid block age version snapshotdt createdat updatedat timestamp title salutation \
         prefix suffix namesuffix namesufx namesfx blockingnumber recordnumber entityname originalid sourceid dupid",
    ),
    (
        R::GivenName,
        "givenname givennames firstname firstnames first fname fnamec1 forename forenames given vorname prenom nombre \
         nombres primernombre nome voornaam fornamn fornavn imie namefirst christianname preferredname legalfirstname personfirstname \
         firstnm gname customerfirstname contactfirstname",
    ),
    (
        R::Surname,
        "surname surnames lastname lastnames last lname lnamec1 familyname family nachname nomdefamille apellido apellidos \
         primerapellido cognome sobrenome achternaam efternamn etternavn nazwisko namelast sname secondname personlastname \
         lastnm legallastname customerlastname contactlastname",
    ),
    (
        R::MiddleName,
        "middlename middle mname midlname middlenames middleinitial mi namemiddle fnamec2 middlenm midname initial initials",
    ),
    (
        R::FullName,
        "fullname name customername personname contactname wholename displayname completename patientname clientname membername \
         employeename firstandsurname nomcomplet nombrecompleto voltnaam",
    ),
    (
        R::BirthDate,
        "dateofbirth birthdate birthday dob dobirth bdate borndate born birthdt datebirth geburtsdatum geburtstag \
         datedenaissance naissance fechanacimiento fechadenacimiento datanascita datadenascimento geboortedatum fodelsedatum brthdt",
    ),
    (R::BirthYear, "by birthyear yearofbirth yob byear dobyear geburtsjahr yearbirth birthdateyear"),
    (R::BirthMonth, "bm birthmonth monthofbirth mob bmonth dobmonth geburtsmonat birthdatemonth"),
    (R::BirthDay, "bd dayofbirth dobday bday geburtstagtag birthdateday"),
    (
        R::BirthPlace,
        "birthplace placeofbirth pob birthcity birthstate birthcountry geburtsort lieudenaissance lugarnacimiento",
    ),
    (
        R::Email,
        "email emailaddress mail emailid emailaddr correo courriel eposta emailadresse workemail personalemail contactemail mailaddress",
    ),
    (
        R::Phone,
        "phone phonenumber telephone telephonenumber tel mobile mobilephone mobilenumber cell cellphone fullphonenumber \
         phonenum phoneno telefon telefono homephone workphone contactnumber telno handy phone1 telefonnummer contactphone \
         mobileno",
    ),
    (
        R::NationalId,
        "nationalid ssn socsecid socialsecurity socialsecuritynumber soc nin nino nhsnumber nhs passport passportnumber \
         taxid tin cpf dni nif personnummer svnr pesel bsn idnumber identitynumber driverlicense driverslicense licensenumber drvrlic \
         socialsecurityid socialinsurancenumber sin medicare medicareno socialsecuritynum loyaltyid memberid",
    ),
    (
        R::Device,
        "deviceid device deviceidentifier cookie cookieid anonymousid idfa idfv gaid aaid advertisingid fingerprint browserid visitorid",
    ),
    (
        R::StreetNumber,
        "streetnumber housenumber stno streetno houseno housenum streetnum hausnummer hausnr numero addressnumber stnum civicnumber",
    ),
    (
        R::Address,
        "address address1 addr addr1 add1 addressline1 addressline street streetaddress streetname resstreetaddress strasse \
         rue calle direccion adresse adres indirizzo homeaddress postaladdress mailaddr1 residentialaddress fulladdress streetaddress1 addressstreet \
         line1 mailingaddress residenceaddress",
    ),
    (R::Suburb, "suburb locality district neighborhood neighbourhood barrio ortsteil"),
    (
        R::City,
        "city town municipality ort stadt ville ciudad citta cidade plaats rescitydesc cityname towncity citytown location \
         village rescity mailcity addresscity residencecity",
    ),
    (
        R::Postcode,
        "postcode zip zipcode postalcode plz codepostal codigopostal cap cep pincode postnummer areacode postcodefake zip5 \
         zipcd postalcd mailzipcode reszipcode postcd addresszip addresspostcode zippostal",
    ),
    (
        R::State,
        "state province region county statecd statecode bundesland departement provincia statedesc prov countydesc addressstate",
    ),
    (
        R::Category,
        "gender sex sexcode gendercode occupation job profession race racecode ethnicity ethniccode party partycd nationality \
         country maritalstatus jobtitle employer company type genderdesc citizenship education countryofbirth cuisine geschlecht",
    ),
    (
        R::Ignore,
        "address2 add2 addr2 addressline2 line2 streetaddress2 lnamec2 unit apartment apt notes comment comments",
    ),
];

/// The usual role of a column of this name.
pub(crate) fn by_name(column: &str) -> Option<ColumnRole> {
    let plain: String = column.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    let plain: String = super::normalize::fold(&plain).chars().filter(|letter| *letter != ' ').collect();
    let of = |word: &str| {
        let role = NAMES.iter().find(|(_, words)| words.split_whitespace().any(|known| known == word));
        role.map(|(role, _)| *role)
    };
    let without_digits = plain.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if let Some(role) = of(&plain).or_else(|| of(without_digits)) {
        return Some(role);
    }
    // `customer_first_name`, `billing_city`, `patientDob`: a usual name after a word that says whose.
    const WHOSE: [&str; 24] = [
        "customer",
        "cust",
        "client",
        "patient",
        "person",
        "member",
        "user",
        "contact",
        "billing",
        "shipping",
        "home",
        "res",
        "mail",
        "mailing",
        "voter",
        "employee",
        "student",
        "applicant",
        "legal",
        "current",
        "primary",
        "subject",
        "personal",
        "insured",
    ];
    if let Some(role) = WHOSE.iter().filter_map(|whose| plain.strip_prefix(whose)).find_map(of) {
        return Some(role);
    }
    const PARTS: [(&str, ColumnRole); 21] = [
        ("firstname", R::GivenName),
        ("givenname", R::GivenName),
        ("forename", R::GivenName),
        ("lastname", R::Surname),
        ("surname", R::Surname),
        ("familyname", R::Surname),
        ("middlename", R::MiddleName),
        ("fullname", R::FullName),
        ("dateofbirth", R::BirthDate),
        ("birthdate", R::BirthDate),
        ("birthplace", R::BirthPlace),
        ("email", R::Email),
        ("phone", R::Phone),
        ("mobile", R::Phone),
        ("postcode", R::Postcode),
        ("postalcode", R::Postcode),
        ("zipcode", R::Postcode),
        ("socialsecurity", R::NationalId),
        ("passport", R::NationalId),
        ("streetaddress", R::Address),
        ("gender", R::Category),
    ];
    PARTS.iter().find(|(part, _)| plain.contains(part)).map(|(_, role)| *role)
}

/// What the values of a column look like.
struct Content {
    n: usize,
    distinct: f64,
    email: f64,
    date: f64,
    phone: f64,
    given_name: f64,
    first_word_is_given_name: f64,
    digits: f64,
    letters: f64,
    words: f64,
}

const SAMPLED: usize = 1_000;

fn content(records: &Records, column: usize) -> Content {
    let step = (records.len() / SAMPLED).max(1);
    let rows = (0..records.len()).step_by(step).map(|row| records.text(row, column));
    let texts: Vec<&str> = rows.filter(|text| !normalize::known(text).is_empty()).collect();
    let n = texts.len();
    let share = |test: &dyn Fn(&str) -> bool| texts.iter().filter(|text| test(text)).count() as f64 / n.max(1) as f64;
    let distinct: FxHashSet<&str> = texts.iter().copied().collect();
    let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    Content {
        n,
        distinct: distinct.len() as f64 / n.max(1) as f64,
        email: share(&|text| text.contains('@') && !normalize::email(text).is_empty()),
        date: share(&|text| {
            let date = super::dates::date(text, super::dates::DateOrder::DayFirst);
            let year = date.get(..4).and_then(|year| year.parse::<u32>().ok()).unwrap_or(0);
            let month = date.get(4..6).and_then(|month| month.parse::<u32>().ok()).unwrap_or(0);
            (1850..=2030).contains(&year) && (1..=12).contains(&month)
        }),
        phone: share(&|text| {
            let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
            let others = text.chars().filter(|letter| letter.is_alphabetic()).count();
            (7..=15).contains(&n_digits)
                && others == 0
                && text.chars().any(|letter| matches!(letter, '+' | '-' | '(' | ' ' | '/'))
        }),
        given_name: share(&|text| is_given_name(&normalize::fold(text))),
        first_word_is_given_name: share(&|text| {
            let folded = normalize::fold(text);
            folded.contains(' ') && folded.split(' ').any(is_given_name)
        }),
        digits: share(&|text| normalize::whole_number(text).bytes().all(|byte| byte.is_ascii_digit())),
        letters: share(&|text| {
            text.chars().all(|letter| letter.is_alphabetic() || matches!(letter, ' ' | '-' | '\'' | '.'))
        }),
        words: words as f64 / n.max(1) as f64,
    }
}

fn by_content(seen: &Content) -> Option<ColumnRole> {
    if seen.n == 0 {
        None
    } else if seen.email > 0.6 {
        Some(R::Email)
    } else if seen.date > 0.7 {
        Some(R::BirthDate)
    } else if seen.phone > 0.6 {
        Some(R::Phone)
    } else if seen.n < 20 {
        None
    } else if seen.given_name > 0.3 && seen.words < 1.5 {
        Some(R::GivenName)
    } else if seen.first_word_is_given_name > 0.3 && seen.letters > 0.8 && seen.words < 3.5 {
        Some(R::FullName)
    } else {
        None
    }
}

/// Roles of which a person has one column; a second one of the same name is not compared.
fn is_single(role: ColumnRole) -> bool {
    !matches!(role, R::Category | R::Text | R::Ignore)
}

/// The role of every column: the caller's word, its usual name, its content; what is left is not compared.
///
/// A table without any known column is compared as it stands: every column as text or category.
pub(crate) fn recognize(records: &Records, given: &BTreeMap<String, ColumnRole>) -> Result<Vec<RecognizedColumn>> {
    for column in given.keys() {
        if !records.columns().contains(column) {
            let known = records.columns().join(", ");
            return Err(Error::invalid(format!("no column named `{column}`")).with_hint(format!("columns: {known}")));
        }
    }
    let mut found: Vec<RecognizedColumn> = Vec::with_capacity(records.columns().len());
    for column in records.columns() {
        let role = given.get(column).map(|role| (*role, FoundBy::Given));
        let (role, found_by) =
            role.or_else(|| by_name(column).map(|role| (role, FoundBy::Name))).unwrap_or((R::Ignore, FoundBy::Content));
        found.push(RecognizedColumn { column: column.clone(), role, found_by });
    }
    let contents: Vec<Option<Content>> = found
        .iter()
        .enumerate()
        .map(|(at, of)| (of.found_by != FoundBy::Given).then(|| content(records, at)))
        .collect();
    correct_by_content(&mut found, &contents);
    let taken: Vec<ColumnRole> = found.iter().map(|of| of.role).collect();
    for (of, seen) in found.iter_mut().zip(&contents) {
        if of.role == R::Ignore
            && of.found_by == FoundBy::Content
            && let Some(role) = seen.as_ref().and_then(by_content).filter(|role| !taken.contains(role))
        {
            of.role = role;
        }
    }
    keep_one_of_each(&mut found);
    let unknown = |of: &RecognizedColumn| of.role == R::Ignore && of.found_by == FoundBy::Content;
    let strong = found.iter().filter(|of| !matches!(of.role, R::Ignore | R::Category)).count();
    if strong < 2 {
        // Too little is known: every column that is neither a row number nor a constant is compared as it stands.
        for (of, seen) in found.iter_mut().zip(&contents) {
            if let Some(seen) = seen.as_ref().filter(|seen| unknown(of) && seen.n > 1) {
                let is_row_name = seen.distinct > 0.999 && (seen.digits > 0.9 || seen.words < 1.1) && seen.n > 50;
                of.role = match () {
                    () if is_row_name => R::Ignore,
                    () if seen.words >= 1.8 => R::Text,
                    () if seen.digits > 0.9 && seen.distinct > 0.3 => R::NationalId,
                    () if seen.letters > 0.8 && seen.distinct > 0.05 => R::Text,
                    () => R::Category,
                };
            }
        }
    }
    Ok(found)
}

/// A usual name with unusual content: `area code` is a postcode only by its digits, `name` beside a surname is a given name.
fn correct_by_content(found: &mut [RecognizedColumn], contents: &[Option<Content>]) {
    let has = |found: &[RecognizedColumn], role: ColumnRole| found.iter().any(|of| of.role == role);
    let (given, surname) = (has(found, R::GivenName), has(found, R::Surname));
    for (of, seen) in found.iter_mut().zip(contents) {
        let Some(seen) = seen.as_ref().filter(|_| of.found_by == FoundBy::Name) else { continue };
        match of.role {
            // `name` and `surname`: the first is a given name.
            R::FullName if surname && !given && seen.words < 1.6 => of.role = R::GivenName,
            R::FullName if seen.words > 3.2 => of.role = R::Text,
            // Names of shops and companies are compared word by word.
            R::FullName if seen.n >= 20 && seen.words > 1.3 && seen.first_word_is_given_name < 0.12 => {
                of.role = R::Text
            }
            R::BirthDate if seen.n >= 20 && seen.date < 0.2 && seen.digits > 0.9 => of.role = R::BirthYear,
            R::Email if seen.n >= 20 && seen.email < 0.2 => (of.role, of.found_by) = (R::Ignore, FoundBy::Content),
            R::Phone if seen.n >= 20 && seen.letters > 0.5 => (of.role, of.found_by) = (R::Ignore, FoundBy::Content),
            _ => {}
        }
    }
}

fn keep_one_of_each(found: &mut [RecognizedColumn]) {
    let has = |found: &[RecognizedColumn], role: ColumnRole| found.iter().any(|of| of.role == role);
    let split = has(found, R::GivenName) && has(found, R::Surname);
    let date = has(found, R::BirthDate);
    let mut taken: Vec<ColumnRole> = Vec::new();
    // What the caller said goes first.
    for pass in [FoundBy::Given, FoundBy::Name, FoundBy::Content] {
        for of in found.iter_mut().filter(|of| of.found_by == pass) {
            let by_caller = pass == FoundBy::Given;
            let told_twice = (of.role == R::FullName && split)
                || (matches!(of.role, R::BirthYear | R::BirthMonth | R::BirthDay) && date)
                || (is_single(of.role) && taken.contains(&of.role));
            if told_twice && !by_caller {
                let second_given = of.role == R::GivenName && !taken.contains(&R::MiddleName);
                of.role = if second_given { R::MiddleName } else { R::Ignore };
            }
            taken.push(of.role);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(columns: &[&str]) -> Vec<ColumnRole> {
        recognize(&Records::new(columns.iter().copied()), &BTreeMap::new()).unwrap().iter().map(|of| of.role).collect()
    }

    #[test]
    fn usual_names_of_columns_are_known() {
        let febrl = [
            "rec_id",
            "given_name",
            "surname",
            "street_number",
            "address_1",
            "address_2",
            "suburb",
            "postcode",
            "state",
            "date_of_birth",
            "soc_sec_id",
        ];
        let expected = [
            R::Ignore,
            R::GivenName,
            R::Surname,
            R::StreetNumber,
            R::Address,
            R::Ignore,
            R::Suburb,
            R::Postcode,
            R::State,
            R::BirthDate,
            R::NationalId,
        ];
        assert_eq!(roles(&febrl), expected);
        assert_eq!(
            roles(&["fname_c1", "fname_c2", "lname_c1", "by", "bm", "bd"]),
            [R::GivenName, R::MiddleName, R::Surname, R::BirthYear, R::BirthMonth, R::BirthDay]
        );
        assert_eq!(
            roles(&["first_name", "surname", "full_name", "dob", "cluster"]),
            [R::GivenName, R::Surname, R::Ignore, R::BirthDate, R::Ignore]
        );
        assert_eq!(
            roles(&["customerFirstName", "Customer Last Name", "E-Mail", "ZIP Code"]),
            [R::GivenName, R::Surname, R::Email, R::Postcode]
        );
        assert_eq!(
            roles(&["fName", "lName", "stNo", "add1", "add2", "areacode", "ssn"]),
            [R::GivenName, R::Surname, R::StreetNumber, R::Address, R::Ignore, R::Postcode, R::NationalId]
        );
    }

    #[test]
    fn content_tells_what_a_name_does_not() {
        let mut records = Records::new(["a", "b", "c", "d"]);
        for row in 0..30 {
            let email = format!("p{row}@e.com");
            let date = format!("19{:02}-03-04", 50 + row);
            records.push(&row.to_string(), ["robert", email.as_str(), date.as_str(), "+44 20 7946 0000"]).unwrap();
        }
        let found = recognize(&records, &BTreeMap::new()).unwrap();
        assert_eq!(
            found.iter().map(|of| of.role).collect::<Vec<_>>(),
            [R::GivenName, R::Email, R::BirthDate, R::Phone]
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error_that_lists_those_that_are() {
        let given = BTreeMap::from([("nme".to_owned(), R::Surname)]);
        let error = recognize(&Records::new(["name"]), &given).unwrap_err();
        assert!(error.to_string().contains("columns: name"));
    }
}
