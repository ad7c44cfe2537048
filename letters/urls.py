from django.urls import path

from letters import views

urlpatterns = [
    path("letter/program/<uuid:letter_uuid>/verify/", views.verify_letter, name="verify_letter"),
]
