"""What this app's columns, and those of the libraries below it, hold about persons."""

from credentials_portal.core.personal import register

AXES = "never written: failed sign-ins are counted in the cache"
SERVICE = "describes a service"
CREDENTIAL = "a credential; deleted with the person's access"

register.holds_personal(
    accounts__User__username="replaced by retired__user_<id>",
    accounts__User__email="emptied",
    accounts__User__first_name="emptied",
    accounts__User__last_name="emptied",
    accounts__User__full_name="emptied",
    accounts__User__password="made unusable",  # noqa: S106 - no password
    accounts__User__time_zone="emptied",
    admin__LogEntry__object_repr="replaced where it is about the account, elsewhere erased by name",
    admin__LogEntry__change_message="emptied where it is about the account, elsewhere erased by name",
    sessions__Session__session_data="the person's sessions are deleted",
    oauth2_provider__AccessToken__token=CREDENTIAL,
    oauth2_provider__AccessToken__token_checksum=CREDENTIAL,
    oauth2_provider__RefreshToken__token=CREDENTIAL,
    oauth2_provider__RefreshToken__token_checksum=CREDENTIAL,
    oauth2_provider__Grant__code=CREDENTIAL,
    oauth2_provider__Grant__nonce=CREDENTIAL,
    oauth2_provider__Grant__claims=CREDENTIAL,
    oauth2_provider__DeviceGrant__device_code=CREDENTIAL,
    oauth2_provider__DeviceGrant__user_code=CREDENTIAL,
)
register.holds_nothing_personal(
    admin__LogEntry__object_id="the id of a row",
    auth__Permission__name="a name from the code",
    auth__Permission__codename="a name from the code",
    auth__Group__name="the name of a role",
    contenttypes__ContentType__app_label="a name from the code",
    contenttypes__ContentType__model="a name from the code",
    sessions__Session__session_key="random",
    oauth2_provider__Application__client_id="random",
    oauth2_provider__Application__client_secret=SERVICE,
    oauth2_provider__Application__name=SERVICE,
    oauth2_provider__Application__redirect_uris=SERVICE,
    oauth2_provider__Application__post_logout_redirect_uris=SERVICE,
    oauth2_provider__Application__allowed_origins=SERVICE,
    oauth2_provider__Grant__redirect_uri=SERVICE,
    oauth2_provider__Grant__scope="names from the code",
    oauth2_provider__Grant__code_challenge="random",
    oauth2_provider__Grant__resource=SERVICE,
    oauth2_provider__AccessToken__scope="names from the code",
    oauth2_provider__AccessToken__resource=SERVICE,
    oauth2_provider__RefreshToken__resource=SERVICE,
    oauth2_provider__IDToken__scope="names from the code",
    oauth2_provider__DeviceGrant__scope="names from the code",
    oauth2_provider__DeviceGrant__client_id="random",
    **{
        f"axes__{model}__{column}": AXES
        for model, columns in {
            "AccessAttempt": ["get_data", "post_data"],
            "AccessFailureLog": [],
            "AccessLog": ["session_hash"],
        }.items()
        for column in (
            *("user_agent", "ip_address", "username", "http_accept", "path_info"),
            *columns,
        )
    },
)
