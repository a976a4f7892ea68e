//! What Node cannot do by itself: become another program, read its own start as bytes, ask at the terminal, harden
//! the process.
