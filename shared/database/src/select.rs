//! Whether a text is one SELECT and nothing else, before it is sent.
//!
//! A belt: the braces are an account that may only read, and a session that is read-only where the engine has such
//! sessions. So the words are judged without a grammar: comments, strings and quoted names are passed over, and a
//! bare word that begins anything but a question is refused, also where it is the name of a column (which can be quoted).

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    PostgreSql,
    /// Microsoft SQL Server.
    SqlServer,
}

/// Why a text is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryProblem {
    /// Nothing, or nothing but comments.
    #[error("frågan är tom")]
    Empty,
    /// Longer than any question.
    #[error("frågan är på {bytes} byte; högst {MAX_QUERY_BYTES}")]
    Long {
        /// Size.
        bytes: usize,
    },
    /// A sign that no text has.
    #[error("tecken {character} är ett styrtecken")]
    Control {
        /// From 1.
        character: usize,
    },
    /// Begins with another word.
    #[error("en fråga börjar med SELECT eller WITH")]
    Begin,
    /// More than one.
    #[error("bara en enda SELECT läses; en till börjar vid tecken {character}")]
    Several {
        /// From 1.
        character: usize,
    },
    /// A word that does something.
    #[error(
        "ordet {word} vid tecken {character} får inte stå i en fråga som bara läser; är det ett namn, sätt det inom citattecken"
    )]
    Word {
        /// The word, one of a list of ours.
        word: &'static str,
        /// From 1.
        character: usize,
    },
    /// A comment, string or quoted name that does not end, or brackets that do not match.
    #[error("det som börjar vid tecken {character} avslutas inte")]
    Open {
        /// From 1.
        character: usize,
    },
}

/// Longest query.
pub const MAX_QUERY_BYTES: usize = 64 << 10;

/// Words of statements that change something, in either engine. `INTO` makes a table.
const REFUSED: [&str; 42] = [
    "ALTER",
    "ANALYZE",
    "BACKUP",
    "BEGIN",
    "BULK",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMIT",
    "COPY",
    "CREATE",
    "DBCC",
    "DECLARE",
    "DELETE",
    "DENY",
    "DISCARD",
    "DO",
    "DROP",
    "EXEC",
    "EXECUTE",
    "GO",
    "GRANT",
    "INSERT",
    "INTO",
    "KILL",
    "LISTEN",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "OPENDATASOURCE",
    "OPENQUERY",
    "OPENROWSET",
    "RECONFIGURE",
    "RESTORE",
    "REVOKE",
    "ROLLBACK",
    "SET",
    "SHUTDOWN",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
    "WAITFOR",
];

/// Words after which a SELECT outside brackets still belongs to the same question.
const JOINS_TWO: [&str; 5] = ["UNION", "EXCEPT", "INTERSECT", "ALL", "DISTINCT"];

/// Nothing, if the text is one SELECT.
///
/// # Errors
/// [`QueryProblem`] names the place; of the text only words of a fixed list.
pub fn check(text: &str, engine: Engine) -> Result<(), QueryProblem> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(QueryProblem::Long { bytes: text.len() });
    }
    if let Some(at) = text.find(|sign: char| sign.is_control() && !sign.is_whitespace()) {
        return Err(QueryProblem::Control { character: character(text, at) });
    }
    let mut scan = Scan { text, at: 0, engine };
    let (mut depth, mut ended) = (0usize, false);
    let (mut first, mut previous): (Option<String>, Option<String>) = (None, None);
    let mut selects = 0;
    while let Some((at, token)) = scan.next()? {
        let character = character(text, at);
        if ended {
            return Err(QueryProblem::Several { character });
        }
        match token {
            Token::Sign(';') => ended = true,
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.checked_sub(1).ok_or(QueryProblem::Open { character })?,
            Token::Sign(_) | Token::Quoted => {}
            Token::Word(word) => {
                let word = word.to_ascii_uppercase();
                if first.is_none() && !["SELECT", "WITH"].contains(&word.as_str()) {
                    return Err(QueryProblem::Begin);
                }
                if let Some(word) = REFUSED.into_iter().find(|refused| *refused == word) {
                    return Err(QueryProblem::Word { word, character });
                }
                if word == "SELECT" && depth == 0 {
                    let joined = previous.as_deref().is_some_and(|before| JOINS_TWO.contains(&before));
                    selects += 1;
                    if selects > 1 && !joined {
                        return Err(QueryProblem::Several { character });
                    }
                }
                first.get_or_insert_with(|| word.clone());
                previous = Some(word);
                continue;
            }
        }
        if first.is_none() {
            return Err(QueryProblem::Begin);
        }
        previous = None;
    }
    match (first, depth, selects) {
        (None, ..) => Err(QueryProblem::Empty),
        (_, 0, 0) => Err(QueryProblem::Begin),
        (_, 0, _) => Ok(()),
        _ => Err(QueryProblem::Open { character: character(text, text.len()) }),
    }
}

/// The place of a byte in characters, from 1.
pub(crate) fn character(text: &str, at: usize) -> usize {
    text.get(..at).map_or(0, |before| before.chars().count()) + 1
}

enum Token<'t> {
    Word(&'t str),
    Quoted,
    Sign(char),
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    engine: Engine,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token and where it begins.
    fn next(&mut self) -> Result<Option<(usize, Token<'t>)>, QueryProblem> {
        loop {
            let rest = self.rest();
            let Some(sign) = rest.chars().next() else { return Ok(None) };
            let start = self.at;
            if sign.is_whitespace() {
                self.at += sign.len_utf8();
            } else if rest.starts_with("--") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.comment()?;
            } else {
                let token = self.token(sign)?;
                return Ok(Some((start, token)));
            }
        }
    }

    fn token(&mut self, sign: char) -> Result<Token<'t>, QueryProblem> {
        let rest = self.rest();
        let is_postgresql = self.engine == Engine::PostgreSql;
        match sign {
            '\'' | '"' => self.quoted(sign, sign, false)?,
            '[' if !is_postgresql => self.quoted('[', ']', false)?,
            '$' if is_postgresql && dollar(rest).is_some() => {
                let tag = dollar(rest).unwrap_or_default();
                let open = QueryProblem::Open { character: character(self.text, self.at) };
                let inside = rest.get(tag.len()..).unwrap_or_default();
                self.at += 2 * tag.len() + inside.find(tag).ok_or(open)?;
            }
            _ if sign.is_alphabetic() || sign == '_' => {
                let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#' | '@');
                let length = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
                let word = rest.get(..length).unwrap_or_default();
                // E'it\'s': the only strings of PostgreSQL in which a backslash means something
                if is_postgresql && word.eq_ignore_ascii_case("e") && rest[length..].starts_with('\'') {
                    self.at += length;
                    self.quoted('\'', '\'', true)?;
                    return Ok(Token::Quoted);
                }
                self.at += length;
                return Ok(Token::Word(word));
            }
            _ => {
                self.at += sign.len_utf8();
                return Ok(Token::Sign(sign));
            }
        }
        Ok(Token::Quoted)
    }

    /// Past a quotation; the closing sign twice is the sign.
    fn quoted(&mut self, open: char, close: char, backslash: bool) -> Result<(), QueryProblem> {
        let fault = QueryProblem::Open { character: character(self.text, self.at) };
        let rest = self.rest();
        let mut signs = rest.char_indices().skip(usize::from(rest.starts_with(open))).peekable();
        while let Some((at, sign)) = signs.next() {
            if backslash && sign == '\\' {
                signs.next();
            } else if sign == close && signs.next_if(|(_, next)| *next == close).is_none() {
                self.at += at + sign.len_utf8();
                return Ok(());
            }
        }
        Err(fault)
    }

    /// Past a comment; comments nest in both engines.
    fn comment(&mut self) -> Result<(), QueryProblem> {
        let fault = QueryProblem::Open { character: character(self.text, self.at) };
        let mut depth = 0usize;
        loop {
            let rest = self.rest();
            let Some(sign) = rest.chars().next() else { return Err(fault) };
            if rest.starts_with("/*") {
                (depth, self.at) = (depth + 1, self.at + 2);
            } else if rest.starts_with("*/") {
                (depth, self.at) = (depth - 1, self.at + 2);
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += sign.len_utf8();
            }
        }
    }
}

/// The tag of a dollar quotation (PostgreSQL, 4.1.2.4), with its dollar signs.
fn dollar(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('$')?;
    let end = inside.find('$')?;
    let tag = &inside[..end];
    let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit())
        && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| &rest[..end + 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_question_passes() {
        for text in [
            "SELECT 1",
            " select a, \"set\" from t where x = 'DELETE; INSERT' ; -- slut",
            "/* en /* två */ fråga */ WITH x AS (SELECT 1 AS a), y AS (SELECT a FROM x) SELECT a FROM y",
            "SELECT a FROM t UNION ALL SELECT b FROM u EXCEPT SELECT c FROM v",
            "SELECT (SELECT max(b) FROM u) FROM t WHERE EXISTS (SELECT 1 FROM v)",
            "SELECT 'it''s', updated_at, insert_date FROM settings",
        ] {
            assert_eq!(check(text, Engine::PostgreSql), Ok(()), "{text}");
            assert_eq!(check(text, Engine::SqlServer), Ok(()), "{text}");
        }
        assert_eq!(check("SELECT $x$; DELETE $$ $x$, E'\\'; DROP'", Engine::PostgreSql), Ok(()));
        assert_eq!(check("SELECT [drop; it]]] FROM [dbo].[t]", Engine::SqlServer), Ok(()));
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        let word = |word, character| QueryProblem::Word { word, character };
        for (text, problem) in [
            ("", QueryProblem::Empty),
            ("-- SELECT 1", QueryProblem::Empty),
            ("DELETE FROM t", QueryProblem::Begin),
            ("(SELECT 1)", QueryProblem::Begin),
            ("WITH x AS (SELECT 1)", QueryProblem::Begin),
            ("SELECT 1; SELECT 2", QueryProblem::Several { character: 11 }),
            ("SELECT 1 SELECT 2", QueryProblem::Several { character: 10 }),
            ("SELECT 1;;", QueryProblem::Several { character: 10 }),
            ("SELECT 1 DELETE FROM t", word("DELETE", 10)),
            ("SELECT åäö INTO u FROM t", word("INTO", 12)),
            ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", word("DELETE", 12)),
            ("SELECT 1 FROM t FOR UPDATE", word("UPDATE", 21)),
            ("SELECT 'öppen", QueryProblem::Open { character: 8 }),
            ("SELECT 1 /* öppen /* */", QueryProblem::Open { character: 10 }),
            ("SELECT 'å\0'", QueryProblem::Control { character: 10 }),
            ("SELECT (1", QueryProblem::Open { character: 10 }),
            ("SELECT 1)", QueryProblem::Open { character: 9 }),
        ] {
            assert_eq!(check(text, Engine::PostgreSql), Err(problem.clone()), "{text}");
            assert_eq!(check(text, Engine::SqlServer), Err(problem), "{text}");
        }
        // the same text is one string in one engine and two statements in the other
        let escaped = "SELECT E'\\' ; DROP TABLE t --'";
        assert_eq!(check(escaped, Engine::PostgreSql), Ok(()));
        assert!(check(escaped, Engine::SqlServer).is_err());
        assert!(check("SELECT '\\' ; DROP TABLE t --'", Engine::PostgreSql).is_err());
        let long = format!("SELECT 1{}", " ".repeat(MAX_QUERY_BYTES));
        assert_eq!(check(&long, Engine::SqlServer), Err(QueryProblem::Long { bytes: MAX_QUERY_BYTES + 8 }));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~åäö\n]{0,60}", quoted in "['\"$\\[\\]/*\\-;()a ]{0,40}") {
            for engine in [Engine::PostgreSql, Engine::SqlServer] {
                let _ = (check(&text, engine), check(&quoted, engine), check(&format!("SELECT {quoted}"), engine));
            }
        }

        #[test]
        fn no_word_of_change_passes_outside_quotations(at in 0..REFUSED.len(), before in "[a-z ,]{0,10}") {
            let text = format!("SELECT {before} {} x", REFUSED[at].to_lowercase());
            let refused = matches!(check(&text, Engine::SqlServer), Err(QueryProblem::Word { .. }));
            prop_assert!(refused, "{text}");
        }
    }
}
