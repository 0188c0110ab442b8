//! What the rules need to know of Rust: identifiers, paths and functions with their lines. Comments, strings and doc
//! texts are none of these.

use std::str::FromStr;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path such as `std::fs::File` as it stands in the code, with the groups of a `use` multiplied out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodePath {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// How many inline modules (`mod tests { .. }`) it stands in.
    pub(crate) depth: usize,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) line_count: usize,
}

/// The file's tokens; a file that is no Rust has none (the compiler says so, not this test).
pub(crate) fn parse(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap_or_default()
}

/// Every identifier and keyword.
pub(crate) fn identifiers(text: &str) -> Vec<(usize, String)> {
    fn walk(stream: TokenStream, found: &mut Vec<(usize, String)>) {
        for token in stream {
            match token {
                TokenTree::Ident(ident) => found.push((line(&ident), ident.to_string())),
                TokenTree::Group(group) => walk(group.stream(), found),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(parse(text), &mut found);
    found
}

/// Every line of every string, as it stands in the code, without its indentation. Doc texts are none.
pub(crate) fn string_lines(text: &str) -> Vec<(usize, String)> {
    fn is_doc(stream: &TokenStream) -> bool {
        matches!(stream.clone().into_iter().next(), Some(TokenTree::Ident(ident)) if ident == "doc")
    }
    fn walk(stream: TokenStream, found: &mut Vec<(usize, String)>) {
        for token in stream {
            match token {
                TokenTree::Literal(literal) => {
                    let (text, first) = (literal.to_string(), literal.span().start().line);
                    let lines = text.lines().enumerate().filter(|_| text.contains('"'));
                    found.extend(lines.map(|(index, line)| (first + index, line.trim().to_owned())));
                }
                TokenTree::Group(group) if !is_doc(&group.stream()) => walk(group.stream(), found),
                TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(parse(text), &mut found);
    found
}

/// Macros called by one name: `dbg!(..)`.
pub(crate) fn macro_calls(text: &str) -> Vec<(usize, String)> {
    fn walk(stream: TokenStream, found: &mut Vec<(usize, String)>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(ident)
                    if is_punct(tokens.get(index + 1), '!')
                        && matches!(tokens.get(index + 2), Some(TokenTree::Group(_))) =>
                {
                    found.push((line(ident), ident.to_string()));
                }
                TokenTree::Group(group) => walk(group.stream(), found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(parse(text), &mut found);
    found
}

/// Every path, of one segment too.
pub(crate) fn paths(text: &str) -> Vec<CodePath> {
    let mut found = Vec::new();
    walk_paths(parse(text), 0, &mut found);
    found
}

fn walk_paths(stream: TokenStream, depth: usize, found: &mut Vec<CodePath>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match token {
            TokenTree::Ident(ident) => index = one_path(&tokens, index, ident, Vec::new(), depth, found),
            TokenTree::Group(group) => {
                let inline_module = group.delimiter() == Delimiter::Brace
                    && index >= 2
                    && matches!((&tokens[index - 2], &tokens[index - 1]), (TokenTree::Ident(key), TokenTree::Ident(_)) if key == "mod");
                walk_paths(group.stream(), depth + usize::from(inline_module), found);
                index += 1;
            }
            _ => index += 1,
        }
    }
}

/// Reads the path that starts at `index`, behind `prefix`; returns where it ends.
fn one_path(
    tokens: &[TokenTree],
    mut index: usize,
    first: &Ident,
    prefix: Vec<String>,
    depth: usize,
    found: &mut Vec<CodePath>,
) -> usize {
    let mut segments = prefix;
    segments.push(first.to_string());
    index += 1;
    while is_punct(tokens.get(index), ':') && is_punct(tokens.get(index + 1), ':') {
        match tokens.get(index + 2) {
            Some(TokenTree::Ident(ident)) => {
                segments.push(ident.to_string());
                index += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inner_index = 0;
                while let Some(token) = inner.get(inner_index) {
                    inner_index = match token {
                        TokenTree::Ident(ident) => one_path(&inner, inner_index, ident, segments.clone(), depth, found),
                        _ => inner_index + 1,
                    };
                }
                return index + 3;
            }
            _ => break,
        }
    }
    found.push(CodePath { line: line(first), segments, depth });
    index
}

/// Every function that has a body.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    fn walk(stream: TokenStream, found: &mut Vec<Function>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(key) if key == "fn" => {
                    let Some(TokenTree::Ident(name)) = tokens.get(index + 1) else { continue };
                    let body = tokens[index..].iter().find_map(|token| match token {
                        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(Some(group)),
                        TokenTree::Punct(punct) if punct.as_char() == ';' => Some(None),
                        _ => None,
                    });
                    if let Some(Some(body)) = body {
                        let line_count = body.span_close().end().line + 1 - line(key);
                        found.push(Function { line: line(key), name: name.to_string(), line_count });
                    }
                }
                TokenTree::Group(group) => walk(group.stream(), found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(parse(text), &mut found);
    found
}

fn line(ident: &Ident) -> usize {
    ident.span().start().line
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}
