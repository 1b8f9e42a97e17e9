//! What readers hold: strict files and workbooks
