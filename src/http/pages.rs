//! The explorer's files, which are part of the program.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::chain::Hash;

/// A file of the explorer.
struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    tag: OnceLock<String>,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($path:literal, $kind:expr) => {
        File {
            path: $path,
            kind: $kind,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/explorer/", $path)),
            tag: OnceLock::new(),
        }
    };
}

static FILES: [File; 32] = [
    file!("index.html", "text/html; charset=utf-8"),
    file!("style.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("app.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("chart.js", SCRIPT),
    file!("now.js", SCRIPT),
    file!("latest.js", SCRIPT),
    file!("demo.js", SCRIPT),
    file!("block.js", SCRIPT),
    file!("seal.js", SCRIPT),
    file!("operations.js", SCRIPT),
    file!("transaction.js", SCRIPT),
    file!("account.js", SCRIPT),
    file!("accounts.js", SCRIPT),
    file!("validators.js", SCRIPT),
    file!("search.js", SCRIPT),
    file!("about.js", SCRIPT),
    file!("trust.js", SCRIPT),
    file!("pin.js", SCRIPT),
    file!("proving.js", SCRIPT),
    file!("verify/bytes.js", SCRIPT),
    file!("verify/check.js", SCRIPT),
    file!("verify/checkpoint.js", SCRIPT),
    file!("verify/claim.js", SCRIPT),
    file!("verify/encoding.js", SCRIPT),
    file!("verify/hashing.js", SCRIPT),
    file!("verify/json.js", SCRIPT),
    file!("verify/primitives.js", SCRIPT),
    file!("verify/sealed.js", SCRIPT),
];

/// First parts of paths under which the page shows something of its own.
const ROOMS: &[&str] = &["", "block", "tx", "account", "accounts", "validators", "search", "about", "trust"];

/// What is at a path: a file, or the page, which finds out by itself what to show there. `None`: nothing.
pub(super) fn serve(path: &str, headers: &HeaderMap) -> Option<Response> {
    let path = path.trim_start_matches('/');
    let room = path.split('/').next().unwrap_or_default();
    let name = path.strip_prefix("explorer/").or_else(|| ROOMS.contains(&room).then_some("index.html"))?;
    FILES.iter().find(|file| file.path == name).map(|file| file.answer(headers))
}

impl File {
    fn tag(&self) -> &str {
        self.tag.get_or_init(|| format!("\"{}\"", Hash::of(self.bytes).to_string().split_at(32).0))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let is_known = headers
            .get(header::IF_NONE_MATCH)
            .and_then(|tags| tags.to_str().ok())
            .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag()));
        let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { self.bytes.into_response() };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        // The next program may bring other files under the same names.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(self.tag()) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_explorer_is_in_the_program_and_all_of_them_are_small() {
        let list = |folder: &str| {
            let there = std::fs::read_dir(format!("{}/explorer/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let files = there.map(|file| file.unwrap()).filter(|file| file.file_type().unwrap().is_file());
            files.map(|file| format!("{folder}{}", file.file_name().into_string().unwrap())).collect::<Vec<_>>()
        };
        let mut there = [list(""), list("verify/")].concat();
        let mut known: Vec<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
        there.sort();
        known.sort();
        assert_eq!(there, known);
        // The checker is apart: it is what somebody reads who wants to know what the page computes.
        let of_checker = |file: &&File| file.path.starts_with("verify/");
        let size_bytes: usize = FILES.iter().filter(|file| !of_checker(file)).map(|file| file.bytes.len()).sum();
        let checker_bytes: usize = FILES.iter().filter(of_checker).map(|file| file.bytes.len()).sum();
        assert!(checker_bytes < 70_000, "{checker_bytes} bytes");
        assert!(size_bytes < 120_000, "{size_bytes} bytes");
    }

    #[test]
    fn the_page_asks_for_nothing_outside_and_has_no_script_or_style_in_it() {
        for file in &FILES {
            let text = std::str::from_utf8(file.bytes).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http://", "https://", "//cdn", "innerHTML", "eval(", " style=\""] {
                assert!(!text.contains(outside), "{}: {outside}", file.path);
            }
        }
        let page = std::str::from_utf8(FILES[0].bytes).unwrap();
        assert!(!page.contains("<style") && !page.contains("<script>"));
    }

    #[test]
    fn a_room_is_the_page_a_file_is_itself_and_anything_else_is_nothing() {
        let none = HeaderMap::new();
        for path in ["/", "/block/7", "/tx/0:7", "/account/alice", "/validators", "/explorer/app.js"] {
            assert_eq!(serve(path, &none).unwrap().status(), StatusCode::OK, "{path}");
        }
        for path in ["/blocks", "/explorer/", "/explorer/../Cargo.toml", "/favicon.png"] {
            assert!(serve(path, &none).is_none(), "{path}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(FILES[0].tag()).unwrap());
        assert_eq!(serve("/", &headers).unwrap().status(), StatusCode::NOT_MODIFIED);
    }
}
