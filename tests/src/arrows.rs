//! Which file of a crate uses which: the arrows that the architecture test holds to its table.
//!
//! It takes the text of source files and leaves, for each, the files whose items it names, whatever the form of the path
//! (`crate::`, `super::super::`, `self::`, a child module, a grouped `use`), and the types of other files that it adds methods to.
//! Re-exports are followed to the file that defines the item. It compiles nothing, so a method call is no arrow: that is why
//! inherent impls far from their type are reported. Comments, strings and what only tests compile do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tokens::{Token, tokenize, without_tests};

/// The source files of one crate.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<File>,
    /// The file of each module, by its path from the root of the crate.
    modules: BTreeMap<Vec<String>, usize>,
}

/// One file uses an item of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The file that uses it.
    pub from: String,
    /// The file that defines it.
    pub to: String,
    /// The path as the file names it, from the root of the crate.
    pub path: String,
    /// Whether the file only passes the name on to others.
    pub is_passed_on: bool,
}

#[derive(Debug, Default)]
struct File {
    name: String,
    module: Vec<String>,
    uses: Vec<Use>,
    paths: Vec<(Vec<String>, Vec<String>)>,
    words: BTreeSet<String>,
    children: BTreeSet<String>,
    defined: BTreeSet<String>,
    impls: Vec<(Vec<String>, Vec<String>)>,
}

/// An inherent impl.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Impl {
    /// The name of the type.
    pub of: String,
    /// The file that defines the type.
    pub defined_in: String,
    /// The file that the impl stands in.
    pub stands_in: String,
}

/// One name that a `use` brings in; `*` for all of a module.
#[derive(Debug)]
struct Use {
    module: Vec<String>,
    path: Vec<String>,
    name: String,
}

/// How many re-exports are followed before a path counts as unresolvable.
const MOST_STEPS: usize = 16;

impl Sources {
    /// Reads all Rust files below a folder.
    ///
    /// # Panics
    ///
    /// Where the folder cannot be read: the test that asks has nothing to look at.
    pub fn below(folder: &Path) -> Sources {
        let mut texts = Vec::new();
        read_folder(folder, folder, &mut texts);
        texts.sort();
        Sources::of(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Reads files given as their path below the root of the crate and their text.
    pub fn of<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Sources {
        let mut sources = Sources::default();
        let mut test_modules = Vec::new();
        for (name, text) in texts {
            let module = module_of(name);
            let (tokens, tests) = without_tests(tokenize(text));
            test_modules.extend(tests.into_iter().map(|test| [module.as_slice(), &[test]].concat()));
            sources.files.push(File::read(name, module, &tokens));
        }
        let is_test = |file: &File| test_modules.iter().any(|module| file.module.starts_with(module));
        sources.files.retain(|file| !is_test(file));
        for (place, file) in sources.files.iter().enumerate() {
            sources.modules.insert(file.module.clone(), place);
        }
        // A module in braces lies in the file around it.
        for (place, file) in sources.files.iter().enumerate() {
            for module in file.uses.iter().map(|used| &used.module).chain(file.paths.iter().map(|(module, _)| module)) {
                sources.modules.entry(module.clone()).or_insert(place);
            }
        }
        sources
    }

    /// The files, by their path below the root of the crate.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// Every arrow from a file to another.
    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for file in &self.files {
            let uses = file.uses.iter().map(|used| {
                let is_passed_on = !file.children.is_empty() && !file.words.contains(&used.name);
                (&used.module, &used.path, is_passed_on)
            });
            let paths = file.paths.iter().map(|(module, path)| (module, path, false));
            for (module, path, is_passed_on) in uses.chain(paths) {
                let Some(path) = self.absolute(module, path) else { continue };
                let Some(to) = self.resolve(&path, 0).and_then(|place| self.files.get(place)) else { continue };
                if to.name != file.name {
                    let (from, to) = (file.name.clone(), to.name.clone());
                    arrows.insert(Arrow { from, to, path: path.join("::"), is_passed_on });
                }
            }
        }
        arrows
    }

    /// The inherent impls of types that another file defines.
    pub fn impls_apart(&self) -> BTreeSet<Impl> {
        let mut apart = BTreeSet::new();
        for file in &self.files {
            for (module, path) in &file.impls {
                let [.., name] = path.as_slice() else { continue };
                let is_brought_in = |used: &&Use| used.module == *module && path.first() == Some(&used.name);
                let found = match file.uses.iter().find(is_brought_in) {
                    Some(used) => {
                        self.absolute(module, &[used.path.as_slice(), path.get(1..).unwrap_or_default()].concat())
                    }
                    None => self.absolute(module, path),
                };
                let place = found.and_then(|path| self.resolve(&path, 0));
                let Some(definer) = place.and_then(|place| self.files.get(place)) else { continue };
                if definer.name != file.name {
                    let (defined_in, stands_in) = (definer.name.clone(), file.name.clone());
                    apart.insert(Impl { of: name.clone(), defined_in, stands_in });
                }
            }
        }
        apart
    }

    /// Files that need each other in a circle, circle by circle. A name that is passed on is no need of the file.
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let arrows = self.arrows();
        let needs = arrows.iter().filter(|arrow| !arrow.is_passed_on);
        circles(needs.map(|arrow| (arrow.from.clone(), arrow.to.clone())))
    }

    /// A path from the root of the crate; `None` for what another crate or the scope of a block has.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" if rest.first().is_some_and(|next| next == "super") => self.absolute(module, rest),
            "self" => Some([module, rest].concat()),
            "super" => {
                let (_, parent) = module.split_last()?;
                match rest.first() {
                    Some(next) if next == "super" => self.absolute(parent, rest),
                    _ => Some([parent, rest].concat()),
                }
            }
            _ => {
                let whole = [module, path].concat();
                self.modules.contains_key(whole.get(..=module.len())?).then_some(whole)
            }
        }
    }

    /// The file that defines what a path from the root means.
    fn resolve(&self, path: &[String], steps: usize) -> Option<usize> {
        if steps > MOST_STEPS {
            return None;
        }
        let depth = (0..=path.len()).rev().find(|depth| self.modules.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let place = *self.modules.get(module)?;
        let Some((name, rest)) = rest.split_first() else { return Some(place) };
        let file = self.files.get(place)?;
        if file.defined.contains(name) {
            return Some(place);
        }
        let of_module = || file.uses.iter().filter(|used| used.module == module);
        let follow = |path: &[String]| self.absolute(module, path).and_then(|path| self.resolve(&path, steps + 1));
        if let Some(used) = of_module().find(|used| used.name == *name) {
            return follow(&[used.path.as_slice(), rest].concat());
        }
        let all = of_module().filter(|used| used.name == "*");
        let mut found =
            all.filter_map(|used| follow(&[used.path.as_slice(), std::slice::from_ref(name), rest].concat()));
        found.find(|place| self.files.get(*place).is_some_and(|file| file.defined.contains(name))).or(Some(place))
    }
}

/// What a file names of the way facts become the committed state.
#[derive(Debug, Default)]
pub struct Calls {
    /// Whether it has a `fn fold`.
    pub defines_fold: bool,
    /// Whether it folds changes into something: `.fold(changes)` or `Type::fold`. A fold of an iterator takes two arguments.
    pub folds: bool,
    /// Whether it begins a write transaction: `store.write(` or `Store::write`.
    pub begins_write: bool,
}

impl Calls {
    /// Reads the code of a file; comments, strings and what only tests compile do not count.
    pub fn of(text: &str) -> Calls {
        let (tokens, _) = without_tests(tokenize(text));
        let mut calls = Calls::default();
        for (at, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let before = |steps: usize| at.checked_sub(steps).and_then(|place| tokens.get(place));
            let is_of =
                |owner: &str| before(2).is_some_and(|token| matches!(token, Token::Word(word) if word == owner));
            match (word.as_str(), before(1)) {
                ("fold", Some(Token::Word(before))) if before == "fn" => calls.defines_fold = true,
                ("fold", Some(Token::Sign('.'))) => calls.folds |= has_one_argument(tokens.get(at + 1..)),
                ("fold", Some(Token::Join)) if !is_of("Iterator") => calls.folds = true,
                ("write", Some(Token::Sign('.'))) => calls.begins_write |= is_of("store"),
                ("write", Some(Token::Join)) => calls.begins_write |= is_of("Store"),
                _ => {}
            }
        }
        calls
    }
}

/// Whether the call whose bracket opens the tokens has one argument: no comma parts two. Literals are no tokens.
fn has_one_argument(tokens: Option<&[Token]>) -> bool {
    let tokens = tokens.unwrap_or_default();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            Token::Sign(',') if depth == 1 && tokens.get(at + 1) != Some(&Token::Sign(')')) => return false,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    true
}

/// The circles of a graph: sets of two and more that reach each other.
pub fn circles(arrows: impl Iterator<Item = (String, String)>) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().insert(to);
    }
    let reached = |from: &String| {
        let (mut found, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(next.get(at).into_iter().flatten().filter(|to| found.insert((*to).clone())));
        }
        found
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = next.keys().map(|from| (from, reached(from))).collect();
    let reaches = |from: &String, to: &String| reach.get(from).is_some_and(|found| found.contains(to));
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (from, found) in &reach {
        let circle: BTreeSet<String> = found.iter().filter(|to| reaches(to, from)).cloned().collect();
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn read_folder(root: &Path, folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the folder of sources is there") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            read_folder(root, &path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("it lies below the root");
            let parts: Vec<_> = name.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            texts.push((parts.join("/"), std::fs::read_to_string(&path).expect("it can be read")));
        }
    }
}

/// The module of a file: `a/b.rs` and `a/b/mod.rs` are `a::b`, `lib.rs` and `main.rs` the root.
fn module_of(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") || matches!(name, "lib.rs" | "main.rs") {
        parts.pop();
    }
    parts
}

impl File {
    fn read(name: &str, module: Vec<String>, tokens: &[Token]) -> File {
        let mut file = File { name: name.to_owned(), module: module.clone(), ..File::default() };
        let (mut at, mut depth, mut inner) = (0, 0, Vec::new());
        let mut module = module;
        while let Some(token) = tokens.get(at) {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => {
                    depth -= 1;
                    if inner.last() == Some(&depth) {
                        inner.pop();
                        module.pop();
                    }
                }
                Token::Word(word) if word == "use" && tokens.get(at + 1) != Some(&Token::Sign('<')) => {
                    at = file.read_use(&module, tokens, at + 1, &[]);
                    continue;
                }
                Token::Word(word) if word == "mod" => match (tokens.get(at + 1), tokens.get(at + 2)) {
                    (Some(Token::Word(child)), Some(Token::Sign(';'))) => {
                        file.children.insert(child.clone());
                        at += 2;
                    }
                    (Some(Token::Word(child)), Some(Token::Sign('{'))) => {
                        module.push(child.clone());
                        inner.push(depth);
                        at += 1;
                    }
                    _ => {}
                },
                // `pub(in path)` says for whom an item is, not what the file needs.
                Token::Word(word) if word == "in" && before == Some(&Token::Sign('(')) => {
                    at += tokens.iter().skip(at).take_while(|token| **token != Token::Sign(')')).count();
                    continue;
                }
                Token::Word(word) if word == "impl" && begins_item(before) => {
                    let path = inherent_type(tokens.get(at + 1..).unwrap_or_default());
                    file.impls.extend(path.map(|path| (module.clone(), path)));
                }
                Token::Word(word) if !matches!(before, Some(Token::Join | Token::Sign('.'))) => {
                    let path = path_at(tokens, at);
                    if path.len() > 1 {
                        file.paths.push((module.clone(), path));
                    } else if before.is_some_and(defines) {
                        file.defined.insert(word.clone());
                    }
                    file.words.insert(word.clone());
                }
                _ => {}
            }
            at += 1;
        }
        file
    }

    /// Reads a `use` tree that begins at `at`, below `prefix`; gives the place behind it.
    fn read_use(&mut self, module: &[String], tokens: &[Token], mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let mut name = None;
        loop {
            match tokens.get(at) {
                Some(Token::Word(word)) if word == "as" => {
                    if let Some(Token::Word(alias)) = tokens.get(at + 1) {
                        name = Some(alias.clone());
                    }
                    at += 1;
                }
                Some(Token::Word(word)) if word == "self" && !path.is_empty() => {}
                Some(Token::Word(word)) => path.push(word.clone()),
                Some(Token::Sign('*')) => name = Some("*".to_owned()),
                Some(Token::Join) => {}
                Some(Token::Sign('{')) => {
                    at += 1;
                    while tokens.get(at).is_some_and(|token| *token != Token::Sign('}')) {
                        at = self.read_use(module, tokens, at, &path);
                        if tokens.get(at) == Some(&Token::Sign(',')) {
                            at += 1;
                        }
                    }
                    // The group has brought in its own names.
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
        }
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.uses.push(Use { module: module.to_vec(), path, name });
        }
        at
    }
}

/// The words of the path that begins at a place.
fn path_at(tokens: &[Token], at: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens.get(at..).unwrap_or_default();
    while let Some((Token::Word(word), behind)) = rest.split_first() {
        path.push(word.clone());
        let Some((Token::Join, behind)) = behind.split_first() else { break };
        rest = behind;
    }
    path
}

fn defines(before: &Token) -> bool {
    let words = ["struct", "enum", "union", "trait", "fn", "type", "const", "static"];
    matches!(before, Token::Word(word) if words.contains(&word.as_str()))
}

/// Whether an item may begin behind this token; elsewhere `impl` is a type.
fn begins_item(before: Option<&Token>) -> bool {
    match before {
        None | Some(Token::Sign('}' | ';' | ']' | '{')) => true,
        Some(Token::Word(word)) => word == "unsafe",
        _ => false,
    }
}

/// The path of the type of an inherent impl, from the tokens behind `impl`; `None` for the impl of a trait.
fn inherent_type(tokens: &[Token]) -> Option<Vec<String>> {
    let mut head = Vec::new();
    let mut angles = 0;
    let mut before = None;
    for token in tokens {
        match token {
            Token::Sign('<') => angles += 1,
            Token::Sign('>') if before != Some(&Token::Sign('-')) => angles -= 1,
            Token::Sign('{') if angles == 0 => break,
            Token::Word(word) if angles == 0 && word == "where" => break,
            Token::Word(word) if angles == 0 => head.push(word.clone()),
            _ => {}
        }
        before = Some(token);
    }
    (!head.iter().any(|word| word == "for") && !head.is_empty()).then_some(head)
}
