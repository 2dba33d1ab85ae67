//! The formula of a resource: whose it is, which department made it, and how sensitive it is.
//!
//! In a hospital these come with the record; synthetic bundles name neither department nor sensitivity, so that the
//! demo derives them from the resource's FHIR type.

use wardkeep_abe::quoted;

use super::super::input::Resource;

/// What a FHIR type is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    /// Bills: the patient's own business.
    Billing,
    /// What a pharmacy dispenses.
    Medication,
    /// Care: department and sensitivity, 0 to 255.
    Care(&'static str, u8),
}

fn area(kind: &str) -> Area {
    match kind {
        "Claim" | "ExplanationOfBenefit" | "Coverage" => Area::Billing,
        "Medication" | "MedicationRequest" | "MedicationAdministration" | "MedicationDispense" => Area::Medication,
        "ImagingStudy" => Area::Care("radiology", 3),
        "Observation" | "DiagnosticReport" => Area::Care("laboratory", 1),
        "Procedure" => Area::Care("surgery", 2),
        "Condition" | "CarePlan" | "CareTeam" | "Goal" => Area::Care("general", 3),
        _ => Area::Care("general", 1),
    }
}

/// Who may open a resource, as an access policy. The patient's id is somebody else's text, and quoted as such.
pub(crate) fn formula(resource: &Resource<'_>) -> String {
    let Some(patient) = &resource.patient else {
        return "role in [doctors, patients, pharmacies]".to_owned();
    };
    let own = format!("patient = {}", quoted(patient));
    match area(&resource.kind) {
        Area::Billing => own,
        Area::Medication => format!("{own} or role = pharmacies or role = doctors and clearance >= 1"),
        Area::Care(dept, sensitivity) => {
            format!("{own} or role = doctors and (dept = {dept} or clearance >= {sensitivity})")
        }
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_abe::{Attributes, Formula, Schema};

    use super::*;

    #[test]
    fn a_formula_names_patient_department_and_sensitivity() {
        let of = |kind: &str, patient: Option<&str>| {
            formula(&Resource { raw: b"{}", kind: kind.into(), id: "1".into(), patient: patient.map(Into::into) })
        };
        assert_eq!(of("Claim", Some("p-1")), "patient = p-1");
        let imaging = "patient = p-1 or role = doctors and (dept = radiology or clearance >= 3)";
        assert_eq!(of("ImagingStudy", Some("p-1")), imaging);
        assert!(of("MedicationRequest", Some("p-1")).contains("role = pharmacies"));
        assert_eq!(of("Organization", None), "role in [doctors, patients, pharmacies]");
    }

    #[test]
    fn an_id_that_speaks_the_policy_language_lets_nobody_in() {
        let (schema, id) = (Schema::default(), r#"7" or role = pharmacies or patient = "8"#);
        let resource = Resource { raw: b"{}", kind: "Claim".into(), id: "1".into(), patient: Some(id.into()) };
        let formula = Formula::parse(&formula(&resource), &schema).unwrap();
        for somebody in ["role = pharmacies", "patient = \"7\"", "patient = \"8\""] {
            assert!(!formula.evaluate(&Attributes::parse(somebody, &schema).unwrap()), "{somebody}");
        }
    }
}
