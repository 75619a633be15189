//! What a client's message sets off: entering, a command, a change of interest.

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::client::{self, ClientObject};
use super::close::Close;
use super::connection::{Connection, Phase};
use super::hub::Hub;
use super::ports::{Identity, Problem};

impl Hub {
    /// Takes one whole message.
    pub(super) fn receive(&self, connection: &Rc<Connection>, bytes: &[u8]) {
        let Ok(objects) = client::parse(connection.encoding, bytes, self.0.settings.interest_max) else {
            connection.close(Close::Protocol);
            return;
        };
        for object in objects {
            if connection.state.borrow().closing.is_some() {
                return;
            }
            self.receive_object(connection, object);
        }
    }

    fn receive_object(&self, connection: &Rc<Connection>, object: ClientObject) {
        let identity = connection.state.borrow().member.as_ref().map(|member| member.identity);
        match (object, identity) {
            (ClientObject::Enter(entrance), _) => {
                let mut state = connection.state.borrow_mut();
                if !matches!(state.phase, Phase::Greeting) {
                    drop(state);
                    connection.close(Close::Protocol);
                    return;
                }
                state.phase = Phase::Admitting;
                state.heard_at = tokio::time::Instant::now();
                actix::spawn(self.clone().admit(Rc::clone(connection), entrance));
            }
            // Commands before `ready` or `resumed` have nobody to speak for.
            (_, None) => connection.close(Close::Protocol),
            (ClientObject::Ping { reference }, Some(_)) => {
                let now = self.0.clock.now().to_string();
                connection.answer(reference.as_deref(), &Ok(json!({ "server_time": now })));
            }
            (ClientObject::Interest { reference, interest }, Some(_)) => {
                let answer = match interest {
                    Ok(interest) => {
                        connection.state.borrow_mut().interest = interest;
                        Ok(json!({}))
                    }
                    Err(why) => Err(Problem::new("invalid", 422, &why, false)),
                };
                connection.answer(reference.as_deref(), &answer);
            }
            (ClientObject::Unknown { reference }, Some(_)) => {
                let problem = Problem::new("unknown_command", 400, "There is no such command.", false);
                connection.answer(reference.as_deref(), &Err(problem));
            }
            (ClientObject::Command { reference, name, body }, Some(identity)) => {
                self.command(connection, identity, reference, name, body);
            }
        }
    }

    fn command(
        &self,
        connection: &Rc<Connection>,
        identity: Identity,
        reference: Option<String>,
        name: &'static str,
        body: Value,
    ) {
        let in_flight = connection.state.borrow().in_flight;
        if in_flight >= self.0.settings.commands_in_flight_max {
            let title = "Too many commands of this socket are under way. Wait for an answer.";
            connection.answer(reference.as_deref(), &Err(Problem::new("too_many_requests", 429, title, true)));
            return;
        }
        connection.state.borrow_mut().in_flight = in_flight + 1;
        // A task of its own, for a command must not be dropped with the socket or the deadline.
        let running = actix::spawn(self.0.ports.commands.run(identity, name, body));
        let (within, connection) = (self.0.settings.command_within, Rc::clone(connection));
        actix::spawn(async move {
            let result = match timeout(within, running).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) | Err(_) => Err(Problem::new(
                    "outcome_unknown",
                    504,
                    "The command has not been answered in time. It may still happen: send it again with the same client id.",
                    true,
                )),
            };
            connection.state.borrow_mut().in_flight -= 1;
            connection.answer(reference.as_deref(), &result);
        });
    }
}
