"""A text on its way to the public: previewed, published, withdrawn, copied."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from credentials_portal.core.admin_pages import OwnPages, decided_by, person
from credentials_portal.core.errors import DomainError, NotFoundError
from letters import selectors, services
from letters.admin.previews import Reader, asked_reader, invented_reader, preview, some_reader
from letters.admin.text_forms import PublishForm, WithdrawForm, parse_seen_publication
from letters.documents.pdf import render_pdf
from letters.enums import LetterState, TemplateStatus, describe_check
from letters.models import ProgramLetterTemplate
from letters.selectors import Publication
from letters.services import FailingLettersError, SeenPublication
from programs.selectors import titles_of_elective_sets

PUBLISH = "letters.publish_letter_template"


class TextPages(OwnPages):
    """What can be done with a text; the admin of letter templates has these pages."""

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "preview": ("preview/", self.preview_view),
            "preview_pdf": ("preview.pdf", self.preview_pdf_view),
            "publish": ("publish/", self.publish_view),
            "withdraw": ("withdraw/", self.withdraw_view),
            "copy": ("copy/", self.copy_view),
        }
        own = [
            path(
                f"<int:pk>/{route}",
                self.admin_site.admin_view(view),
                name=f"letters_programlettertemplate_{name}",
            )
            for name, (route, view) in pages.items()
        ]
        return [*own, *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The letter's page as the public would see it, marked; nothing is counted or changed."""
        template = self._looked_at(request, pk)
        reader, problem = _reader(request, template)
        query = request.GET.urlencode()
        return render(
            request,
            "admin/letters/text_preview.html",
            {
                "template": template,
                "document": preview(template, reader),
                "reader": reader,
                "problem": problem,
                "learner": request.GET.get("learner", ""),
                "may_choose": _may_choose(request),
                "missing": missing(template),
                "pdf": f"{address_of('preview_pdf', pk)}{'?' if query else ''}{query}",
                "back": address_of("change", pk),
            },
        )

    def preview_pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = self._looked_at(request, pk)
        reader, _problem = _reader(request, template)
        document = preview(template, reader, with_pictures=True)
        return HttpResponse(
            render_pdf(document, watermark=_("Preview, not valid")),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'inline; filename="preview-{pk}-{template.revision}.pdf"'
            },
        )

    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what publishing does to how many letters; agreed to, do it."""
        self.require(request, PUBLISH)
        template = self._looked_at(request, pk)
        if template.status != TemplateStatus.DRAFT:
            told = _("This revision is %s: only a draft can be published.")
            self.message_user(request, told % template.get_status_display(), messages.ERROR)
            return redirect(address_of("change", pk))
        given = None
        if request.method == "POST":
            seen = parse_seen_publication(request.POST.get("seen", ""))
            given = PublishForm(request.POST, seen=seen, publication=None)
            if given.is_valid() and self._publish(request, template, seen, given.cleaned_data):
                return redirect(address_of("change", pk))
            template.refresh_from_db()
        return self._preflight(request, template, given)

    def _preflight(
        self, request: HttpRequest, template: ProgramLetterTemplate, given: PublishForm | None
    ) -> HttpResponse:
        """The page between wanting and publishing; what was `given` stands in it again."""
        publication = selectors.publication(template.program_id, at=timezone.now())
        seen = SeenPublication(template.modified, publication.failing)
        initial = {name: given.data.get(name) for name in ("reason", "notify")} if given else {}
        form = PublishForm(seen=seen, publication=publication, initial=initial)
        problems = services.template_problems(template)
        titles = titles_of_elective_sets([template.program_id])[template.program_id]
        return self.page(
            request,
            "admin/letters/text_publish.html",
            title=_("Publish %s") % template,
            button=_("Publish it nevertheless") if publication.failing else _("Publish"),
            template=template,
            publication=publication,
            reasons=[
                (code, describe_check(code, titles), count)
                for code, count in publication.reasons.most_common()
            ],
            sample=[
                (letter, [describe_check(code, titles) for code in codes])
                for letter, codes in publication.sample
            ],
            hidden=[(LetterState(state).label, n) for state, n in publication.hidden.items()],
            problems=problems,
            missing=missing(template),
            form=form,
            errors=given.errors if given else {},
            is_possible=not problems,
            back=address_of("change", template.pk),
        )

    def _publish(
        self,
        request: HttpRequest,
        template: ProgramLetterTemplate,
        seen: SeenPublication,
        given: dict[str, Any],
    ) -> bool:
        """Whether it was done; what became of it is told."""
        try:
            publication = services.publish_template(
                template_id=template.pk,
                by=decided_by(request, at=timezone.now(), reason=given["reason"]),
                despite_failures=given.get("nevertheless", False),
                notify=given.get("notify", False),
                seen=seen,
            )
        except FailingLettersError as refusal:
            told = _(
                "Nothing was published: %(failing)d of the letters that would appear fail"
                " validation now; %(seen)d were shown to you. Look again."
            ) % {"failing": refusal.publication.failing, "seen": seen.failing}
            self.message_user(request, told, messages.ERROR)
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
        else:
            self._tell_published(request, template, publication, notify=given.get("notify"))
            return True
        return False

    def _tell_published(
        self,
        request: HttpRequest,
        template: ProgramLetterTemplate,
        publication: Publication,
        *,
        notify: Any,
    ) -> None:
        told = ngettext(
            "Published. %d letter became visible.",
            "Published. %d letters became visible.",
            publication.appearing,
        )
        mailed = ngettext(
            "%d mail to a holder is queued.",
            "%d mails to holders are queued.",
            publication.unseen,
        )
        self.message_user(
            request,
            format_html(
                '{} {} <a href="{}" class="underline">{}</a>',
                told % publication.appearing,
                mailed % publication.unseen if notify else _("Nobody is mailed."),
                address_of("withdraw", template.pk),
                _("Withdraw it again…"),
            ),
            messages.SUCCESS,
        )

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how many letters disappear; with a reason, let them."""
        self.require(request, PUBLISH)
        template = self._looked_at(request, pk)
        withdrawal = selectors.withdrawal(template)
        asked = request.method == "POST"
        form = WithdrawForm(request.POST if asked else None, withdrawal=withdrawal)
        if template.status != TemplateStatus.PUBLISHED:
            told = _("This revision is %s: only what is published can be withdrawn.")
            self.message_user(request, told % template.get_status_display(), messages.ERROR)
            return redirect(address_of("change", pk))
        if asked and form.is_valid():
            self._withdraw(request, template, form.cleaned_data)
            return redirect(address_of("change", pk))
        published = ProgramLetterTemplate.objects.filter(
            program_id=template.program_id, status=TemplateStatus.PUBLISHED
        )
        return self.page(
            request,
            "admin/letters/text_withdraw.html",
            title=_("Withdraw %s") % template,
            button=_("Hide these letters"),
            template=template,
            withdrawal=withdrawal,
            published=published.order_by("-published_at"),
            form=form,
            is_possible=True,
            back=address_of("change", pk),
        )

    def _withdraw(
        self, request: HttpRequest, template: ProgramLetterTemplate, given: dict[str, Any]
    ) -> None:
        try:
            hidden = services.withdraw_template(
                template_id=template.pk,
                by=decided_by(request, at=timezone.now(), reason=given["reason"]),
                every_revision=given["every_revision"],
            )
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
        else:
            told = ngettext(
                "Withdrawn. %d letter is hidden now; nobody is mailed.",
                "Withdrawn. %d letters are hidden now; nobody is mailed.",
                hidden,
            )
            self.message_user(request, told % hidden, messages.SUCCESS)

    def copy_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A new draft that says the same; only by POST."""
        template = self._looked_at(request, pk)
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return redirect(address_of("change", pk))
        draft = services.copy_template(
            template_id=pk, by=decided_by(request, at=timezone.now(), reason="")
        )
        told = _("This draft says what %s says. Nobody sees it before it is published.")
        self.message_user(request, told % template, messages.SUCCESS)
        return redirect(address_of("change", draft.pk))

    def _looked_at(self, request: HttpRequest, pk: int) -> ProgramLetterTemplate:
        if not self.has_view_permission(request):
            raise PermissionDenied
        templates = ProgramLetterTemplate.objects.select_related("program", "logo")
        return get_object_or_404(templates.defer("logo__content"), pk=pk)


def address_of(page: str, pk: int) -> str:
    return reverse(f"admin:letters_programlettertemplate_{page}", args=[pk])


MISSING_LOGO = gettext_lazy("There is no logo.")
MISSING_SIGNATORY = gettext_lazy("Nobody signs it.")


def missing(template: ProgramLetterTemplate) -> list[str]:
    """What a letter can go without, but seldom should."""
    found = []
    if template.logo_id is None:
        found.append(str(MISSING_LOGO))
    if not template.signatories.exists():
        found.append(str(MISSING_SIGNATORY))
    return found


def _may_choose(request: HttpRequest) -> bool:
    return person(request).has_perm("letters.view_programletter")


def _reader(request: HttpRequest, template: ProgramLetterTemplate) -> tuple[Reader, str]:
    """Whose letter to show, and what is wrong with the person asked for.

    Who may not look at letters sees nobody's name.
    """
    at = timezone.now()
    if not _may_choose(request):
        return invented_reader(at=at), ""
    asked = request.GET.get("learner", "").strip()
    if asked and "\0" not in asked:
        among_all = person(request).has_perm("accounts.view_user")
        try:
            return asked_reader(template, asked, at=at, among_all=among_all), ""
        except NotFoundError as refusal:
            return some_reader(template, at=at), refusal.message
    return some_reader(template, at=at), ""
