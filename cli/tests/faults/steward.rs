//! What an administrator was told, and whether it still holds: entities, roles, the control set, tokens, revocations.
//!
//! One request at a time, so that everything is exact but for at most one deed in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wardkeep_client::wire::control_set::ControlSet;
use wardkeep_client::wire::entity::Entity;
use wardkeep_client::wire::role::Role;
use wardkeep_client::wire::token::TokenState;
use wardkeep_client::wire::{AttributeValue, EntityRef};
use wardkeep_client::{CallError, Client, EntityUid, Identity, Paging, RequestId};

use crate::chance::Chance;
use crate::home::{Credential, DOMAIN, Home, is_in_doubt};
use crate::process::Ready;

/// How many users come and go.
const USERS: usize = 30;
/// Services that are enrolled anew before each cycle.
const ENROLLED: usize = 2;
/// Revoked certificates that are tried again after each cycle.
const REMEMBERED: usize = 6;
/// A service that never connects and gets tokens all the same; nothing else voids them.
const INVITED: &str = "invited";

/// An administrator's ledger.
pub(crate) struct Steward {
    chance: Chance,
    counter: u64,
    state: State,
    /// The control set, once it was read.
    control: Option<ControlSet>,
    credentials: Vec<(String, Credential)>,
    doubt: Option<Deed>,
    requests: Vec<String>,
}

/// What lists show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    users: BTreeMap<String, i64>,
    roles: BTreeSet<(Role, String)>,
    tokens: BTreeMap<String, TokenState>,
    revoked: BTreeSet<String>,
}

/// One change.
#[derive(Debug, Clone)]
enum Deed {
    Put(String, i64),
    Delete(String),
    Grant(Role, String),
    Take(Role, String),
    Void(String),
    Revoke(String),
    Control(String),
    Issue,
}

impl Steward {
    pub(crate) fn new(chance: Chance) -> Self {
        Self {
            chance,
            counter: 0,
            state: State::default(),
            control: None,
            credentials: Vec::new(),
            doubt: None,
            requests: Vec::new(),
        }
    }

    /// Ids of the requests acknowledged since the last time.
    pub(crate) fn take_requests(&mut self) -> Vec<String> {
        std::mem::take(&mut self.requests)
    }

    /// How many certificates it revoked.
    pub(crate) fn revocations(&self) -> usize {
        self.state.revoked.len()
    }

    /// Before a cycle: services whose certificates may be revoked in it. Those of former cycles are forgotten, but for
    /// the revoked ones.
    pub(crate) async fn prepare(&mut self, home: &Home, client: &Client, ready: &Ready) {
        self.credentials.retain(|(name, _)| self.state.revoked.contains(name));
        self.credentials.drain(..self.credentials.len().saturating_sub(REMEMBERED));
        client.entities().put(vec![entity("Service", INVITED, None)]).await.unwrap();
        for _ in 0..ENROLLED {
            self.counter += 1;
            let name = format!("s{}", self.counter);
            client.entities().put(vec![entity("Service", &name, None)]).await.unwrap();
            let issued = client.tokens().issue(&service(&name), None).await.unwrap();
            let credential = home.enrol(ready, &name, &issued.token).await;
            self.state.tokens.insert(issued.id, TokenState::Redeemed);
            credential.client(ready).await.whoami().await.unwrap();
            self.credentials.push((name, credential));
        }
        self.control = Some(client.control_set().describe().await.unwrap());
    }

    /// Works until the server is gone, or `stop`.
    pub(crate) async fn work(mut self, client: Client, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.turn(&client).await {
                assert!(is_in_doubt(&error), "a legal deed was refused: {:?}: {error}", self.doubt);
                break;
            }
        }
        self
    }

    /// One change, which the caller wants to succeed.
    pub(crate) async fn turn(&mut self, client: &Client) -> Result<(), CallError> {
        self.counter += 1;
        let request = format!("steward-{}", self.counter);
        let client = client.with_request_id(RequestId::new(&request).unwrap());
        let deed = self.draw();
        self.doubt = Some(deed.clone());
        self.carry_out(&client, &deed).await?;
        self.doubt = None;
        self.requests.push(request);
        Ok(())
    }

    fn draw(&mut self) -> Deed {
        let user = format!("u{}", self.chance.below(USERS));
        let held: Vec<_> = self.state.roles.iter().cloned().collect();
        let holds = held.iter().any(|(_, holder)| *holder == user);
        let open: Vec<_> = self.state.tokens.iter().filter(|(_, state)| **state == TokenState::Open).collect();
        let roles = [Role::Operator, Role::Auditor];
        match self.chance.below(24) {
            0 | 1 if !self.state.users.contains_key(&user) || holds => Deed::Put(user, self.counter as i64),
            0 | 1 => Deed::Delete(user),
            2..=4 if self.state.users.contains_key(&user) => {
                Deed::Grant(*self.chance.one(&roles).unwrap_or(&Role::Auditor), user)
            }
            5..=7 if !held.is_empty() => {
                let (role, holder) = held[self.chance.below(held.len())].clone();
                Deed::Take(role, holder)
            }
            8 | 9 => Deed::Issue,
            10 if !open.is_empty() => Deed::Void(open[self.chance.below(open.len())].0.clone()),
            11 => match self.credentials.iter().find(|(name, _)| !self.state.revoked.contains(name)) {
                Some((name, _)) => Deed::Revoke(name.clone()),
                None => Deed::Put(user, self.counter as i64),
            },
            12 | 13 if self.control.is_some() => {
                let text = self.control.as_ref().map_or("", |control| &control.text);
                let text = text.lines().filter(|line| !line.starts_with("// Change ")).collect::<Vec<_>>().join("\n");
                Deed::Control(format!("{text}\n// Change {}\n", self.counter))
            }
            _ => Deed::Put(user, self.counter as i64),
        }
    }

    async fn carry_out(&mut self, client: &Client, deed: &Deed) -> Result<(), CallError> {
        match deed {
            Deed::Put(name, n) => client.entities().put(vec![entity("User", name, Some(*n))]).await.map(drop)?,
            Deed::Delete(name) => client.entities().delete(&user(name)).await.map(drop)?,
            Deed::Grant(role, name) => client.roles().grant(*role, &user(name), Vec::new()).await.map(drop)?,
            Deed::Take(role, name) => client.roles().revoke(*role, &user(name)).await?,
            Deed::Void(id) => client.tokens().revoke(id).await?,
            Deed::Revoke(name) => {
                let revoked = client.certificates().revoke_identity(&service(name)).await?;
                assert_eq!(revoked.serials.len(), 1, "{name}: {revoked:?}");
            }
            Deed::Control(text) => {
                let revision = self.control.as_ref().map(|control| control.revision);
                let control = client.control_set().put(text, revision).await?;
                assert_eq!((&control.text, Some(control.revision)), (text, revision.map(|before| before + 1)));
                self.control = Some(control);
            }
            Deed::Issue => {
                let issued = client.tokens().issue(&service(INVITED), None).await?;
                self.state.tokens.insert(issued.id, TokenState::Open);
            }
        }
        self.state.note(deed);
        Ok(())
    }

    /// After a restart: everything acknowledged holds, and the deed in doubt was done or not.
    pub(crate) async fn check(&mut self, client: &Client, ready: &Ready) {
        let doubt = self.doubt.take();
        let mut found = State::read(client).await;
        found.revoked = self.state.revoked.clone();
        if let Some(Deed::Revoke(name)) = &doubt
            && let Some((_, credential)) = self.credentials.iter().find(|(known, _)| known == name)
            && credential.client(ready).await.whoami().await.is_err()
        {
            found.revoked.insert(name.clone());
        }
        let mut done = self.state.clone();
        if let Some(deed) = &doubt {
            done.note(deed);
        }
        if matches!(doubt, Some(Deed::Issue)) {
            // Its id was never told: there may be one more.
            let unknown: Vec<_> = found.tokens.keys().filter(|id| !done.tokens.contains_key(*id)).cloned().collect();
            assert!(unknown.len() <= 1, "{unknown:?}");
            done.tokens.extend(unknown.into_iter().map(|id| (id, TokenState::Open)));
        }
        assert!(found == done || found == self.state, "{doubt:?} of {:?} left {found:?}", self.state);
        self.state = found;

        let control = client.control_set().describe().await.unwrap();
        if let (Some(before), Some(Deed::Control(text))) = (&self.control, &doubt) {
            let done = control.revision == before.revision + 1 && control.text == *text;
            assert!(done || control == *before, "revision {} became {}", before.revision, control.revision);
        } else if let Some(before) = &self.control {
            assert_eq!(control, *before);
        }
        self.control = Some(control);

        // All at once: a refused connection is tried again for a while.
        let mut asked = Vec::new();
        for (name, credential) in self.credentials.clone() {
            let ready = ready.clone();
            asked.push(tokio::spawn(async move { (name, credential.client(&ready).await.whoami().await) }));
        }
        for one in asked {
            let (name, answer) = one.await.unwrap();
            assert_eq!(answer.is_err(), self.state.revoked.contains(&name), "{name}: {answer:?}");
        }
    }
}

impl State {
    fn note(&mut self, deed: &Deed) {
        match deed {
            Deed::Put(name, n) => {
                self.users.insert(name.clone(), *n);
            }
            Deed::Delete(name) => {
                self.users.remove(name);
            }
            Deed::Grant(role, name) => {
                self.roles.insert((*role, name.clone()));
            }
            Deed::Take(role, name) => {
                self.roles.remove(&(*role, name.clone()));
            }
            Deed::Void(id) => {
                self.tokens.insert(id.clone(), TokenState::Void);
            }
            Deed::Revoke(name) => {
                self.revoked.insert(name.clone());
            }
            Deed::Control(_) | Deed::Issue => {}
        }
    }

    /// What the lists show, of the users and services of this test.
    async fn read(client: &Client) -> Self {
        let mut state = Self::default();
        let mut paging = Paging { limit: Some(500), cursor: None };
        loop {
            let page = client.entities().list(Some("User"), &paging).await.unwrap();
            for Entity { uid, attrs, .. } in page.items {
                match attrs.get("n") {
                    Some(AttributeValue::Long(n)) => {
                        state.users.insert(uid.id, *n);
                    }
                    _ => assert_eq!(uid.id, "first"),
                }
            }
            paging.cursor = page.next;
            if paging.cursor.is_none() {
                break;
            }
        }
        for members in client.roles().list().await.unwrap().roles {
            let others = members.members.into_iter().filter(|member| member.id != "first");
            state.roles.extend(others.map(|member| (members.role, member.id)));
        }
        loop {
            let page = client.tokens().list(&paging).await.unwrap();
            let own = page.items.into_iter().filter(|token| token.identity.contains("/service/"));
            state.tokens.extend(own.map(|token| (token.id, token.state)));
            paging.cursor = page.next;
            if paging.cursor.is_none() {
                return state;
            }
        }
    }
}

fn entity(kind: &str, id: &str, n: Option<i64>) -> Entity {
    let attrs = n.map(|n| ("n".to_owned(), AttributeValue::Long(n))).into_iter().collect();
    let uid = EntityRef { kind: kind.to_owned(), id: id.to_owned() };
    Entity { uid, attrs, parents: Vec::new(), tags: BTreeMap::new() }
}

fn user(name: &str) -> EntityUid {
    EntityUid::new("User", name).unwrap()
}

fn service(name: &str) -> Identity {
    Identity::parse(&format!("spiffe://{DOMAIN}/service/{name}")).unwrap()
}
