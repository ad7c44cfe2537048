from licenses.models.customers import Customer, CustomerAgreement, CustomerLearner
from licenses.models.expiry import LearnerUnlink, LicenseDowngrade
from licenses.models.licenses import License, LicenseEvent, LicenseQuerySet
from licenses.models.mails import MailWording
from licenses.models.plans import (
    Notification,
    PlanType,
    Product,
    SubscriptionPlan,
    SubscriptionPlanQuerySet,
    SubscriptionPlanRenewal,
)

__all__ = [
    "Customer",
    "CustomerAgreement",
    "CustomerLearner",
    "LearnerUnlink",
    "License",
    "LicenseDowngrade",
    "LicenseEvent",
    "LicenseQuerySet",
    "MailWording",
    "Notification",
    "PlanType",
    "Product",
    "SubscriptionPlan",
    "SubscriptionPlanQuerySet",
    "SubscriptionPlanRenewal",
]
