//! Tidegate's load driver: speaks only HTTP and websocket.

fn main() {}
