//! Rust text as the few tokens that a reader of paths needs: words, `::`, signs. Comments and literals are left out.

/// A token of Rust text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// `::`
    Join,
    /// Any other sign that is no blank.
    Sign(char),
}

/// The tokens of Rust text.
pub fn tokenize(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let letter = |at: usize| letters.get(at).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        match letter(at) {
            '/' if letter(at + 1) == '/' => at = skip(&letters, at, |rest| rest.starts_with(&['\n'])),
            '/' if letter(at + 1) == '*' => at = behind_comment(&letters, at),
            '"' => at = behind_text(&letters, at + 1, 0, true),
            '\'' => at = behind_quote(&letters, at),
            ':' if letter(at + 1) == ':' => {
                tokens.push(Token::Join);
                at += 2;
            }
            begin if begin.is_alphabetic() || begin == '_' => {
                let end = skip(&letters, at, |rest| !rest.first().is_some_and(|c| c.is_alphanumeric() || *c == '_'));
                let word: String = letters.get(at..end).unwrap_or_default().iter().collect();
                let n_hashes = letters.get(end..).unwrap_or_default().iter().take_while(|c| **c == '#').count();
                let is_literal = matches!(word.as_str(), "r" | "b" | "br" | "c" | "cr");
                at = end;
                if is_literal && letter(end + n_hashes) == '"' && (n_hashes == 0 || word.ends_with('r')) {
                    at = behind_text(&letters, end + n_hashes + 1, n_hashes, !word.ends_with('r'));
                } else if word == "b" && letter(end) == '\'' {
                    at = behind_quote(&letters, end);
                } else if word == "r" && n_hashes == 1 {
                    at = end + 1;
                } else {
                    tokens.push(Token::Word(word));
                }
            }
            begin if begin.is_ascii_digit() => {
                at = skip(&letters, at, |rest| !rest.first().is_some_and(|c| c.is_alphanumeric() || *c == '_'));
            }
            blank if blank.is_whitespace() => at += 1,
            sign => {
                tokens.push(Token::Sign(sign));
                at += 1;
            }
        }
    }
    tokens
}

/// The first place from `at` on where the rest is wanted, or the end.
fn skip(letters: &[char], at: usize, is_wanted: impl Fn(&[char]) -> bool) -> usize {
    (at..letters.len()).find(|at| letters.get(*at..).is_some_and(&is_wanted)).unwrap_or(letters.len())
}

fn behind_comment(letters: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < letters.len() {
        match letters.get(at..at + 2) {
            Some(['/', '*']) => (depth, at) = (depth + 1, at + 2),
            Some(['*', '/']) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The place behind a text whose content begins at `at` and ends with a quote and this many hashes.
fn behind_text(letters: &[char], mut at: usize, n_hashes: usize, has_escapes: bool) -> usize {
    while let Some(letter) = letters.get(at) {
        at += 1;
        if *letter == '\\' && has_escapes {
            at += 1;
        } else if *letter == '"' && letters.iter().skip(at).take_while(|c| **c == '#').count() >= n_hashes {
            return at + n_hashes;
        }
    }
    at
}

/// The place behind a character or the name of a lifetime.
fn behind_quote(letters: &[char], at: usize) -> usize {
    match (letters.get(at + 1), letters.get(at + 2)) {
        (Some('\\'), _) => skip(letters, at + 3, |rest| rest.starts_with(&['\''])) + 1,
        (_, Some('\'')) => at + 3,
        _ => skip(letters, at + 1, |rest| !rest.first().is_some_and(|c| c.is_alphanumeric() || *c == '_')),
    }
}

/// Leaves out what stands under `#[cfg(test)]`, and gives the names of the modules among it that are files.
pub fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let word = |text: &str| Token::Word(text.to_owned());
    let mark = [
        Token::Sign('#'),
        Token::Sign('['),
        word("cfg"),
        Token::Sign('('),
        word("test"),
        Token::Sign(')'),
        Token::Sign(']'),
    ];
    let (mut kept, mut modules) = (Vec::with_capacity(tokens.len()), Vec::new());
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        let Some(item) = rest.strip_prefix(&mark) else {
            kept.push(token.clone());
            rest = behind;
            continue;
        };
        let (item, behind) = item.split_at(item_length(item));
        if let [.., Token::Word(is_module), Token::Word(name), Token::Sign(';')] = item
            && is_module == "mod"
        {
            modules.push(name.clone());
        }
        rest = behind;
    }
    (kept, modules)
}

/// How many tokens belong to the item, field or expression at the front.
fn item_length(tokens: &[Token]) -> usize {
    let items = ["fn", "mod", "use", "struct", "enum", "impl", "trait", "const", "static", "type"];
    let (mut depth, mut is_item, mut is_use) = (0, false, false);
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) if depth == 0 && items.contains(&word.as_str()) => {
                is_item = true;
                is_use |= word == "use";
            }
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(end @ (')' | ']' | '}')) => {
                if depth == 0 {
                    return place;
                }
                depth -= 1;
                if depth == 0 && *end == '}' && !is_use {
                    return place + 1;
                }
            }
            Token::Sign(';') if depth == 0 => return place + 1,
            Token::Sign(',') if depth == 0 && !is_item => return place + 1,
            _ => {}
        }
    }
    tokens.len()
}
