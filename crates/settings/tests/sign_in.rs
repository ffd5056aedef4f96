//! Settings of sign-in: whole, or not there.

use walkaround_settings::Settings;

fn read(given: &[(&str, &str)]) -> Result<Settings, String> {
    let found = |name: &str| {
        given
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    };
    Settings::from_lookup(&found).map_err(|error| error.to_string())
}

#[test]
fn sign_in_is_whole_or_not_there() {
    assert!(read(&[]).unwrap().sign_in.is_none());
    let issuer = ("WALKAROUND_OIDC_ISSUER", "https://id.example.com");
    let client = ("WALKAROUND_OIDC_CLIENT", "walkaround");
    let console = ("WALKAROUND_CONSOLE_URL", "https://console.example.com");
    let all = read(&[
        issuer,
        client,
        console,
        ("WALKAROUND_OIDC_OPERATORS", "ops, admins"),
    ]);
    let all = all.unwrap().sign_in.unwrap();
    assert_eq!(all.operators, ["ops", "admins"]);
    assert_eq!((all.session.as_secs(), all.role_claim.as_str()), (3600, "roles"));
    for (given, missing) in [
        (vec![issuer, console], "WALKAROUND_OIDC_CLIENT"),
        (vec![issuer, client], "WALKAROUND_CONSOLE_URL"),
        (vec![client, console], "WALKAROUND_OIDC_ISSUER"),
    ] {
        let error = read(&given).unwrap_err();
        assert!(error.starts_with(&format!("{missing} is not set")), "{error}");
    }
}
