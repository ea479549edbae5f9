//! Owns the patterns that several bodies and parameters are described with in the document.
//! Must never decide anything: what is right says the type that reads it.

/// A text with something to be seen in it, and no control characters.
pub(crate) const VISIBLE: &str = r"^[^\u0000-\u001F\u007F]*[^\s\u0000-\u001F\u007F][^\u0000-\u001F\u007F]*$";
/// A moment of RFC 3339, or a day, or nothing.
pub(crate) const MOMENT: &str = r"^$|^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z)?$";
/// Tags that are wanted and not wanted.
pub(crate) const TAG_FILTER: &str =
    r"^[^,&\u0000-\u001F\u007F]+:(yes|no)(,[^,&\u0000-\u001F\u007F]+:(yes|no)){0,63}$";
/// The name of a queue.
pub(crate) const QUEUE_NAME: &str = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$";
/// The lease of a message.
pub(crate) const LEASE: &str = "^[0-9a-f]{32}$";
