//! What the kernel does for us on every connection of the HTTP server.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// How long sent bytes may stay unacknowledged before the kernel ends the connection: 20 s.
///
/// A client that stops reading stops its session's actor too, timers included, so that nothing
/// above the kernel would notice it.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// For the HTTP server's `on_connect`: an answer leaves without waiting for more bytes, and a
/// connection whose peer no longer takes anything is ended by the kernel.
pub fn configure_socket(connection: &dyn Any, _extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = SockRef::from(stream);
    // Both only make things better; a kernel that lacks one still serves.
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[actix_web::test]
    async fn sets_the_kernels_deadline() {
        let listener = actix_web::rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        configure_socket(&stream, &mut Extensions::new());
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
    }
}
