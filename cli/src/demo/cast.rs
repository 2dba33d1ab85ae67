//! Who takes part: each with a certificate of its own, got by a one-time token.

use wardkeep_client::wire::AttributeValue;
use wardkeep_client::wire::entity::{Entity, EntityRef};
use wardkeep_client::{CacheLimits, Client, EntityUid, Renewal};

use crate::command::CommandError;
use crate::ground::Ground;

/// Most entities that are written at once.
const ENTITIES_AT_ONCE: usize = 1000;

/// The four who read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads clinical records, no bills.
    Doctor,
    /// Reads what is about themselves.
    Patient,
    /// Reads what it dispenses.
    Pharmacy,
    /// Administers keys; reads the directory, and nothing about patients.
    Admin,
}

impl Role {
    /// All four, in the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Doctor, Self::Patient, Self::Pharmacy, Self::Admin];

    /// The word in the report.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Patient => "patient",
            Self::Pharmacy => "pharmacy",
            Self::Admin => "admin",
        }
    }

    /// The user of that role; `admin` is the installation's first administrator, who is nobody at the clinic.
    const fn user(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Patient => "patient",
            Self::Pharmacy => "pharmacy",
            Self::Admin => "clinic-admin",
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Doctor => "doctors",
            Self::Patient => "patients",
            Self::Pharmacy => "pharmacies",
            Self::Admin => "admins",
        }
    }
}

/// Everybody's clients.
pub(crate) struct Cast {
    /// Administers the installation: entities, tokens, audit.
    pub(crate) administrator: Client,
    /// Brings records in.
    pub(crate) ingest: Client,
    /// Acts for patients who have no certificate of their own.
    pub(crate) portal: Client,
    /// The doctor.
    pub(crate) doctor: Client,
    /// The pharmacy.
    pub(crate) pharmacy: Client,
    /// The clinic's administrator.
    pub(crate) admin: Client,
    /// The patient; absent until it is known whose records there are.
    patient: Option<Client>,
}

impl Cast {
    /// Enrols everybody but the patient.
    pub(crate) async fn assemble(ground: &Ground) -> Result<Self, CommandError> {
        let administrator = client(ground, &ground.administrator).await?;
        let staff = [Role::Doctor, Role::Pharmacy, Role::Admin];
        let mut entities: Vec<Entity> = staff.iter().map(|role| user(role.user(), *role, None)).collect();
        // What the doctor's user key says beside the group: a department, and how sensitive records may be.
        if let Some(doctor) = entities.first_mut() {
            doctor.attrs.insert("dept".to_owned(), AttributeValue::String("radiology".to_owned()));
            doctor.attrs.insert("clearance".to_owned(), AttributeValue::Long(1));
        }
        entities.push(service("ingest", &[]));
        entities.push(service("portal", &["applications"]));
        administrator.entities().put(entities).await?;
        Ok(Self {
            ingest: enrolled(ground, &administrator, "service", "ingest").await?,
            portal: enrolled(ground, &administrator, "service", "portal").await?,
            doctor: enrolled(ground, &administrator, "user", Role::Doctor.user()).await?,
            pharmacy: enrolled(ground, &administrator, "user", Role::Pharmacy.user()).await?,
            admin: enrolled(ground, &administrator, "user", Role::Admin.user()).await?,
            patient: None,
            administrator,
        })
    }

    /// Enrols the patient, as the one of that FHIR id.
    pub(crate) async fn admit_patient(&mut self, ground: &Ground, fhir_id: &str) -> Result<(), CommandError> {
        let name = Role::Patient.user();
        self.administrator.entities().put(vec![user(name, Role::Patient, Some(fhir_id))]).await?;
        self.patient = Some(enrolled(ground, &self.administrator, "user", name).await?);
        Ok(())
    }

    /// Makes every patient of the records a user, so that the portal may act for them.
    pub(crate) async fn introduce_patients(&self, fhir_ids: &[String]) -> Result<(), CommandError> {
        for some in fhir_ids.chunks(ENTITIES_AT_ONCE) {
            let users = some.iter().map(|id| user(&portal_user(id), Role::Patient, Some(id))).collect();
            self.administrator.entities().put(users).await?;
        }
        Ok(())
    }

    /// The client of a role; `None` for the patient before there is one.
    pub(crate) fn of(&self, role: Role) -> Option<&Client> {
        match role {
            Role::Doctor => Some(&self.doctor),
            Role::Patient => self.patient.as_ref(),
            Role::Pharmacy => Some(&self.pharmacy),
            Role::Admin => Some(&self.admin),
        }
    }

    /// The portal, acting for the patient of that FHIR id.
    pub(crate) fn portal_for(&self, fhir_id: &str) -> Result<Client, CommandError> {
        Ok(self.portal.on_behalf_of(EntityUid::new("User", &portal_user(fhir_id))?))
    }
}

/// The user whom the portal acts for. Set apart from the names of those with certificates.
fn portal_user(fhir_id: &str) -> String {
    format!("portal/{fhir_id}")
}

fn user(name: &str, role: Role, patient: Option<&str>) -> Entity {
    let attrs = patient.map(|id| ("patient".to_owned(), AttributeValue::String(id.to_owned())));
    Entity {
        uid: EntityRef { kind: "User".to_owned(), id: name.to_owned() },
        attrs: attrs.into_iter().collect(),
        parents: vec![EntityRef { kind: "Group".to_owned(), id: role.group().to_owned() }],
        tags: [].into(),
    }
}

fn service(name: &str, groups: &[&str]) -> Entity {
    let group = |id: &&str| EntityRef { kind: "Group".to_owned(), id: (*id).to_owned() };
    Entity {
        uid: EntityRef { kind: "Service".to_owned(), id: name.to_owned() },
        attrs: [].into(),
        parents: groups.iter().map(group).collect(),
        tags: [].into(),
    }
}

async fn enrolled(ground: &Ground, administrator: &Client, kind: &str, name: &str) -> Result<Client, CommandError> {
    let identity = ground.identity(kind, name)?;
    ground.admit(administrator, &identity).await?;
    client(ground, &identity).await
}

/// A client that keeps no data key: each record is decided on anew, and ids that recur get keys of their own.
async fn client(ground: &Ground, identity: &wardkeep_client::Identity) -> Result<Client, CommandError> {
    let mut settings = ground.settings(identity)?;
    settings.cache = CacheLimits::OFF;
    settings.renewal = Renewal::Elsewhere;
    Ok(Client::connect(settings).await?)
}
