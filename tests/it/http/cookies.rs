//! Cookies count for our own page, and for changes only when it says so: what other pages try with ours.

use telltale::request::Request;

use super::door::Door;

const SAFE: &str = "/api/v1/childcare/vehicles/self/child-alert/safe";
const JSON: &str = "Content-Type: application/json";

async fn signed_in(door: &Door) -> String {
    format!("Cookie: theme=dark; telltale={}; lang=ko", door.log_in("control").await)
}

#[tokio::test]
async fn a_change_by_cookie_comes_from_our_own_page() {
    let door = Door::with(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let cookie = signed_in(&door).await;
    let host = format!("Host: localhost:{}", door.address.port());
    let own = format!("Origin: http://localhost:{}", door.address.port());
    let (here, text) = ("Sec-Fetch-Site: same-origin", "Content-Type: text/plain");
    let form = "Content-Type: application/x-www-form-urlencoded";
    let cases: &[(&[&str], u16)] = &[
        (&[&own, JSON], 409),
        (&[here, JSON], 409),
        (&[here, "Content-Type: application/json; charset=utf-8"], 409),
        (&[JSON], 403),
        (&["Sec-Fetch-Site: none", JSON], 403),
        (&["Origin: https://app.example", JSON], 403),
        (&[here], 415),
        (&[&own, text], 415),
        (&[&own, form], 415),
        // Another port's page, another scheme's, a form of another site, a sandbox.
        (&["Origin: http://localhost:9000", JSON], 401),
        (&["Origin: https://localhost", JSON], 401),
        (&["Origin: https://evil.example", form], 401),
        (&["Origin: null", form], 401),
        (&["Sec-Fetch-Site: same-site", text], 401),
        (&["Sec-Fetch-Site: cross-site", "Origin: https://evil.example", form], 401),
    ];
    for (headers, status) in cases {
        let headers = [&[host.as_str(), &cookie], *headers].concat();
        let answer = door.ask("POST", SAFE, &headers, "{\"eventId\":1}").await;
        assert_eq!(answer.status(), *status, "{headers:?}");
        answer.problem();
    }
    let is_answer = |request: &Request| matches!(request, Request::Safe { .. });
    assert_eq!(door.feed.asked().iter().filter(|request| is_answer(request)).count(), 3, "the others never got so far");
}

#[tokio::test]
async fn a_change_without_a_body_needs_no_type_and_every_change_is_guarded() {
    let door = Door::open().await;
    let cookie = signed_in(&door).await;
    for (method, path) in [
        ("POST", SAFE),
        ("POST", "/api/v1/childcare/vehicles/self/child-alert/snooze"),
        ("PUT", "/api/v1/geofences/x"),
        ("DELETE", "/api/v1/geofences/home"),
        ("DELETE", "/api/v1/diagnosis/vehicles/self/auto/dtc"),
        ("DELETE", "/api/v1/devices/id-control"),
        ("POST", "/api/v1/auth/logout"),
    ] {
        assert_eq!(door.ask(method, path, &[&cookie], "").await.status(), 403, "{method} {path}");
        assert_eq!(door.ask(method, path, &[&cookie, "Origin: http://evil.example"], "").await.status(), 401, "{method} {path}");
    }
    let own = ["Origin: http://localhost", cookie.as_str()];
    assert_eq!(door.ask("DELETE", "/api/v1/geofences/home", &own, "").await.status(), 204);
    assert_eq!(door.ask("POST", "/api/v1/auth/logout", &own, "").await.status(), 204);
    assert_eq!(door.ask("GET", "/api/v1/events", &[&cookie], "").await.status(), 401);
}

#[tokio::test]
async fn only_our_own_pages_and_those_of_the_settings_read_by_cookie() {
    let door = Door::with(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let cookie = signed_in(&door).await;
    for (header, status, allow, credentials) in [
        ("X: y", 200, None, None),
        ("Sec-Fetch-Site: none", 200, None, None),
        ("Sec-Fetch-Site: same-origin", 200, None, None),
        ("Origin: http://localhost", 200, None, None),
        ("Origin: https://app.example", 200, Some("https://app.example"), Some("true")),
        ("Origin: http://localhost:9000", 401, None, None),
        ("Origin: null", 401, None, None),
        ("Origin: https://app.example.evil", 401, None, None),
        ("Sec-Fetch-Site: same-site", 401, None, None),
        ("Sec-Fetch-Site: cross-site", 401, None, None),
    ] {
        let answer = door.ask("GET", "/api/v1/events", &[&cookie, header], "").await;
        assert_eq!(answer.status(), status, "{header}");
        assert_eq!(answer.header("access-control-allow-origin"), allow, "{header}");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{header}");
    }
    let with_token = ["Origin: https://evil.example", "X-Api-Key: read", &cookie];
    let answer = door.ask("GET", "/api/v1/events", &with_token, "").await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.status()), (Some("*"), 200));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_page_of_another_site_logs_in_with_its_own_token_and_gets_no_cookie() {
    let door = Door::with(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let body = r#"{"username": "mum", "password": "read"}"#;
    for (origin, allow, credentials, gets) in [
        ("https://evil.example", "*", None, false),
        ("null", "*", None, false),
        ("http://localhost:9000", "*", None, false),
        ("https://app.example", "https://app.example", Some("true"), true),
    ] {
        let answer = door.ask("POST", "/api/v1/auth/login", &[&format!("Origin: {origin}"), JSON], body).await;
        assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, Some(allow)), "{origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{origin}");
        assert_eq!(answer.header("access-control-expose-headers"), Some("Authorization"), "{origin}");
        assert_eq!(answer.header("set-cookie").is_some(), gets, "{origin}");
    }
}
