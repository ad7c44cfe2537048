from django.urls import path

from credentials_portal.web import views

urlpatterns = [
    path("", views.home, name="home"),
    path("verify/", views.find_letter, name="find_letter"),
    path("health/", views.health, name="health"),
    path("demo/mail/", views.demo_mail, name="demo_mail"),
]
