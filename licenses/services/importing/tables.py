"""The small tables of the old license-manager: all but its licenses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import models

from credentials_portal.core.history import Attribution, bulk_create_with_history
from licenses.markup import clean_markup
from licenses.models import (
    Customer,
    CustomerAgreement,
    PlanType,
    Product,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from licenses.services.importing.rows import (
    BadRowError,
    Result,
    Row,
    cleaned,
    draft_all,
    text_of,
    uuid_from,
    values_of,
)

MARKUP = "expired_subscription_modal_messaging"
MESSAGES = (
    *("modal_header_text", MARKUP),
    *("button_label_in_modal", "url_for_button_in_modal"),
)
AGREEMENT_COLUMNS = (
    *("created", "modified", "default_enterprise_catalog_uuid"),
    *("disable_expiration_notifications", "disable_onboarding_notifications"),
    *("license_duration_before_purge", "has_custom_license_expiration_messaging", *MESSAGES),
    "enable_auto_applied_subscriptions_with_universal_link",
)
PLAN_COLUMNS = (
    *("created", "modified", "title", "start_date", "expiration_date", "expiration_processed"),
    *("enterprise_catalog_uuid", "is_active", "is_revocation_cap_enabled"),
    *("revoke_max_percentage", "num_revocations_applied", "salesforce_opportunity_line_item"),
    *("for_internal_use_only", "should_auto_apply_licenses", "desired_num_licenses"),
)
RENEWAL_COLUMNS = (
    *("created", "modified", "salesforce_opportunity_id", "number_of_licenses", "effective_date"),
    *("renewed_expiration_date", "renewed_plan_title", "license_types_to_copy"),
    *("disable_auto_apply_licenses", "exempt_from_batch_processing"),
    *("processed", "processed_datetime"),
)
PLAN_TYPE_COLUMNS = (
    *("label", "description", "is_paid_subscription", "ns_id_required", "sf_id_required"),
    "internal_use_only",
)
PRODUCT_COLUMNS = ("name", "description", "salesforce_product_id")


@dataclass
class SmallTables:
    """What is brought of them, with what is here: few rows."""

    by: Attribution
    dry_run: bool = False
    _plan_types: dict[str, PlanType] = field(default_factory=dict, init=False)
    _products: dict[str, Product] = field(default_factory=dict, init=False)
    _messaging: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)

    @cached_property
    def customers(self) -> dict[UUID, Customer]:
        return {customer.uuid: customer for customer in Customer.objects.all()}

    @cached_property
    def agreements(self) -> dict[UUID, CustomerAgreement]:
        agreements = CustomerAgreement.objects.select_related("customer")
        return {agreement.uuid: agreement for agreement in agreements}

    @cached_property
    def plans(self) -> dict[UUID, SubscriptionPlan]:
        plans = SubscriptionPlan.objects.select_related("customer_agreement")
        return {plan.uuid: plan for plan in plans}

    def bring_plan_types(self, rows: Sequence[Row]) -> list[Result]:
        here = {plan_type.label: plan_type for plan_type in PlanType.objects.all()}

        def draft(row: Row) -> tuple[PlanType | None, str]:
            plan_type = cleaned(PlanType(**values_of(PlanType, row, PLAN_TYPE_COLUMNS)))
            is_here = plan_type.label in here
            self._plan_types[row.pk] = here.setdefault(plan_type.label, plan_type)
            return None if is_here else plan_type, ""

        drafts, results = draft_all(rows, draft)
        if not self.dry_run:
            PlanType.objects.bulk_create(drafts)
        return results

    def bring_products(self, rows: Sequence[Row]) -> list[Result]:
        stored = Product.objects.select_related("plan_type")
        here = {_identity(product): product for product in stored}

        def draft(row: Row) -> tuple[Product | None, str]:
            product = Product(**values_of(Product, row, PRODUCT_COLUMNS))
            product.plan_type = self._plan_type(row)
            cleaned(product, exclude=["plan_type"])
            is_here = _identity(product) in here
            self._products[row.pk] = here.setdefault(_identity(product), product)
            return None if is_here else product, ""

        drafts, results = draft_all(rows, draft)
        self.create(Product, drafts)
        return results

    def _plan_type(self, row: Row) -> PlanType:
        plan_type = self._plan_types.get(text_of(row, "plan_type"))
        if plan_type is None:
            raise BadRowError("there is no such plan type in the files")
        return plan_type

    def bring_messaging(self, rows: Sequence[Row]) -> list[Result]:
        """Keep them for their agreements, whose columns they are here."""
        for row in rows:
            self._messaging[text_of(row, "customer_agreement")] = row.fields
        return []

    def bring_agreements(self, rows: Sequence[Row]) -> list[Result]:
        slugs = {customer.slug for customer in self.customers.values()}
        owners = {agreement.customer.uuid for agreement in self.agreements.values()}
        newcomers: list[Customer] = []

        def draft(row: Row) -> tuple[CustomerAgreement | None, str]:
            uuid = uuid_from(row.pk, "uuid")
            if uuid in self.agreements:
                return None, ""
            customer_uuid = uuid_from(
                text_of(row, "enterprise_customer_uuid"), "the customer's uuid"
            )
            if customer_uuid in owners:
                raise BadRowError("the customer has another agreement")
            given = Row(row.model, row.pk, {**row.fields, **self._messaging.get(row.pk, {})})
            values = values_of(CustomerAgreement, given, AGREEMENT_COLUMNS)
            mended = _mend_messaging(values)
            agreement = CustomerAgreement(uuid=uuid, **values)
            cleaned(agreement, exclude=["customer"])
            customer = self.customers.get(customer_uuid)
            if customer is None:
                slug = text_of(row, "enterprise_customer_slug")
                mended = mended if slug else "a customer without slug: its uuid stands for it"
                slug = slug or str(customer_uuid)
                name = text_of(row, "enterprise_customer_name") or slug
                customer = cleaned(Customer(uuid=customer_uuid, slug=slug, name=name))
                if slug in slugs:
                    raise BadRowError("the slug belongs to another customer")
                slugs.add(slug)
                self.customers[customer_uuid] = customer
                newcomers.append(customer)
            agreement.customer = customer
            owners.add(customer_uuid)
            self.agreements[uuid] = agreement
            return agreement, mended

        drafts, results = draft_all(rows, draft)
        self.create(Customer, newcomers)
        self.create(CustomerAgreement, drafts)
        return results

    def bring_plans(self, rows: Sequence[Row]) -> list[Result]:
        titles = {(plan.customer_agreement.uuid, plan.title) for plan in self.plans.values()}

        def draft(row: Row) -> tuple[SubscriptionPlan | None, str]:
            uuid = uuid_from(row.pk, "uuid")
            if uuid in self.plans:
                return None, ""
            agreement_uuid = uuid_from(text_of(row, "customer_agreement"), "the agreement's uuid")
            agreement = self.agreements.get(agreement_uuid)
            if agreement is None:
                raise BadRowError("its agreement is not here")
            plan = SubscriptionPlan(uuid=uuid, **values_of(SubscriptionPlan, row, PLAN_COLUMNS))
            cleaned(plan, exclude=["customer_agreement", "product"])
            if plan.start_date >= plan.expiration_date:
                raise BadRowError("it does not start before it ends")
            if (agreement_uuid, plan.title) in titles:
                raise BadRowError("the agreement has another plan of this title")
            plan.product = self._product(row)
            plan.customer_agreement = agreement
            titles.add((agreement_uuid, plan.title))
            self.plans[uuid] = plan
            return plan, ""

        drafts, results = draft_all(rows, draft)
        self.create(SubscriptionPlan, drafts)
        return results

    def _product(self, row: Row) -> Product | None:
        named = text_of(row, "product")
        if named and named not in self._products:
            raise BadRowError("there is no such product in the files")
        return self._products.get(named)

    def bring_renewals(self, rows: Sequence[Row]) -> list[Result]:
        stored = SubscriptionPlanRenewal.objects.values_list(
            "prior_subscription_plan__uuid", "renewed_subscription_plan__uuid"
        )
        followed: dict[UUID, UUID | None] = dict(stored)
        following = {renewed for renewed in followed.values() if renewed}

        def draft(row: Row) -> tuple[SubscriptionPlanRenewal | None, str]:
            prior = self.plan_of(row, "prior_subscription_plan")
            if prior.uuid in followed:
                return None, ""
            renewed = None
            if text_of(row, "renewed_subscription_plan"):
                renewed = self.plan_of(row, "renewed_subscription_plan")
                if renewed.uuid in following:
                    raise BadRowError("another renewal leads to the renewed plan")
            values = values_of(SubscriptionPlanRenewal, row, RENEWAL_COLUMNS)
            renewal = SubscriptionPlanRenewal(**values)
            plans = ["prior_subscription_plan", "renewed_subscription_plan"]
            cleaned(renewal, exclude=plans)
            if renewal.effective_date >= renewal.renewed_expiration_date:
                raise BadRowError("it does not take effect before it ends")
            if renewal.processed and not (renewed and renewal.processed_datetime):
                raise BadRowError("processed, but without a date or a renewed plan")
            renewal.prior_subscription_plan, renewal.renewed_subscription_plan = prior, renewed
            followed[prior.uuid] = renewed.uuid if renewed else None
            following.update({renewed.uuid} if renewed else ())
            return renewal, ""

        drafts, results = draft_all(rows, draft)
        self.create(SubscriptionPlanRenewal, drafts)
        return results

    def plan_of(self, row: Row, name: str) -> SubscriptionPlan:
        """The plan that this column names. Raises `BadRowError`."""
        plan = self.plans.get(uuid_from(text_of(row, name), name))
        if plan is None:
            raise BadRowError(f"{name} is not here")
        return plan

    def create(self, model: type[models.Model], drafts: Sequence[Any]) -> None:
        if not self.dry_run:
            bulk_create_with_history(model, drafts, by=self.by)


def _identity(product: Product) -> tuple[str, str, str]:
    return product.name, product.plan_type.label, product.salesforce_product_id


def _mend_messaging(values: dict[str, Any]) -> str:
    """Switch messages off that are not complete, and forget those that are off: says which."""
    values[MARKUP] = clean_markup(str(values.get(MARKUP) or ""))
    texts = [str(values.get(name) or "") for name in MESSAGES]
    is_wanted = bool(values.get("has_custom_license_expiration_messaging"))
    if is_wanted and all(texts) and texts[-1].startswith(("http://", "https://")):
        return ""
    values.update(dict.fromkeys(MESSAGES, ""), has_custom_license_expiration_messaging=False)
    if is_wanted:
        return "incomplete messages about expiry: they are switched off"
    return "messages about expiry that are switched off: left out" if any(texts) else ""
