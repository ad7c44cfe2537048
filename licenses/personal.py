"""What the columns of `licenses` hold about persons; `services.retire_learner` erases it."""

from credentials_portal.core.personal import register

CUSTOMERS = "an organization's name or words"

register.holds_personal(
    licenses__License__user_email="emptied, live and in the history",
    licenses__CustomerLearner__user_email="emptied, live and in the history",
    licenses__MailWording__greeting="erased by name",
    licenses__MailWording__closing="erased by name",
)
register.holds_nothing_personal(
    licenses__Customer__name=CUSTOMERS,
    licenses__CustomerAgreement__modal_header_text=CUSTOMERS,
    licenses__CustomerAgreement__expired_subscription_modal_messaging=CUSTOMERS,
    licenses__CustomerAgreement__button_label_in_modal=CUSTOMERS,
    licenses__CustomerAgreement__url_for_button_in_modal=CUSTOMERS,
    licenses__PlanType__label="a kind of product",
    licenses__PlanType__description="a kind of product",
    licenses__Product__name="a product",
    licenses__Product__description="a product",
    licenses__Product__salesforce_product_id="an id",
    licenses__SubscriptionPlan__title=CUSTOMERS,
    licenses__SubscriptionPlan__salesforce_opportunity_line_item="an id",
    licenses__SubscriptionPlanRenewal__salesforce_opportunity_id="an id",
    licenses__SubscriptionPlanRenewal__renewed_plan_title=CUSTOMERS,
    licenses__LicenseEvent__event_name="a name from the code",
    licenses__LicenseEvent__cause="a name from the code",
)
