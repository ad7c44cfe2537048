from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.admin import ApplicationAdmin as ProviderApplicationAdmin
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from credentials_portal.accounts.models import User
from credentials_portal.accounts.roles import ROLES
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.admin import ReasonForm, ask_for_reason
from credentials_portal.core.retries import retry_conflicts

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Application = get_application_model()

admin.site.unregister(Group)
admin.site.unregister(Application)
# Live credentials are nobody's to look at.
for secrets in (
    get_access_token_model(),
    get_grant_model(),
    get_id_token_model(),
    get_refresh_token_model(),
):
    admin.site.unregister(secrets)


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[User]"
    ) -> "list[tuple[str, _StrPromise]]":
        return [("person", _("people")), ("service", _("services")), ("retired", _("retired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        is_service = Exists(Application.objects.filter(user=OuterRef("pk")))
        match self.value():
            case "person":
                return queryset.filter(~is_service, retired_at=None)
            case "service":
                return queryset.filter(is_service)
            case "retired":
                return queryset.exclude(retired_at=None)
        return queryset


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Accounts are never deleted: `retire_user` empties them, in every app at once.

    Only an administrator changes an administrator, or what anybody may do.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "is_active", "is_staff", "last_login")
    list_filter: ClassVar = (KindFilter, "is_staff", "is_active", "groups")
    search_fields = ("username", "email", "full_name", "=lms_user_id")
    show_full_result_count = False
    readonly_fields = ("last_login", "date_joined", "retired_at")
    fieldsets: ClassVar = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("full_name", "email", "lms_user_id", "time_zone")}),
        (
            _("Permissions"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined", "retired_at")}),
    )
    powers = ("is_staff", "is_superuser", "groups", "user_permissions")
    actions = ("retire",)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        is_beyond = obj and (obj.is_retired or obj.is_superuser > request.user.is_superuser)
        return super().has_change_permission(request, obj) and not is_beyond

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *self.powers)

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.retire_user")

    @admin.action(description=_("Retire"), permissions=["retire"])
    def retire(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Ask for the reason, then erase each of the chosen persons; for good."""
        if queryset.filter(Q(is_superuser=True) | Q(pk=request.user.pk)).exists():
            refusal = _("Neither an administrator nor you yourself can be retired here.")
            self.message_user(request, refusal, messages.ERROR)
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return ask_for_reason(
                self,
                request,
                queryset,
                form,
                template="accounts/retire_users.html",
                title=_("Retire"),
                consequence=RETIREMENT,
            )
        retired = sum(
            retry_conflicts(retire_user)(
                user=user,
                at=timezone.now(),
                actor=cast("User", request.user),
                reason=form.cleaned_data["reason"],
                cause="admin",
            )
            for user in queryset.order_by("pk")
        )
        self.message_user(request, _("Retired: %d") % retired, messages.SUCCESS)
        return None


RETIREMENT = _(
    "These persons are signed out and cannot come back. Their names, addresses and all that tells "
    "who they were are erased from every part of the portal, from its history too; documents that "
    "name them are withdrawn. Rows and counts stay. Nobody can undo this."
)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """The portal's own groups follow the table in `accounts.roles`; others are free."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.name in ROLES)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.name in ROLES)


@admin.register(Application)
class ApplicationAdmin(ProviderApplicationAdmin, ModelAdmin):
    """The services that may call the API, each acting as an account of its own."""

    list_display = ("name", "user", "client_type", "authorization_grant_type")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    raw_id_fields = ()
    autocomplete_fields = ("user",)
