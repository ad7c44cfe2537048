from django.contrib.auth.views import PasswordResetView
from django.urls import include, path

from credentials_portal.web import views
from credentials_portal.web.forms import AskForPasswordLink

urlpatterns = [
    path("", views.home, name="home"),
    path("access/", views.access, name="access"),
    path("programs/<uuid:program_uuid>/", views.program_record, name="program_record"),
    path("verify/", views.find_letter, name="find_letter"),
    path("health/", views.health, name="health"),
    path("demo/mail/", views.demo_mail, name="demo_mail"),
    path(
        "accounts/password_reset/",
        PasswordResetView.as_view(form_class=AskForPasswordLink),
        name="password_reset",
    ),
    path("accounts/", include("django.contrib.auth.urls")),
]
