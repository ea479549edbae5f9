//! What two parties may read differently in one message: framing, lengths, paths, fields, in both directions.

mod paths;
