"""Who may see anything."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import RunningHub, sign_in


def test_a_stranger_is_led_to_the_sign_in_page_and_in(new_page: Callable[[], Page], hub: RunningHub) -> None:
    page = new_page()
    page.goto(f"{hub.url}/rejected/")
    expect(page).to_have_url(f"{hub.url}/accounts/login/?next=/rejected/")
    sign_in(page, hub)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_wrong_password_is_told_in_a_sentence(new_page: Callable[[], Page], hub: RunningHub) -> None:
    page = new_page()
    sign_in(page, hub, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("correct")
    expect(page).to_have_url(f"{hub.url}/accounts/login/?next=/")


def test_signing_out_ends_the_session(page: Page, hub: RunningHub) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(hub.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_one_time_link_signs_in_once(new_page: Callable[[], Page], hub: RunningHub) -> None:
    link = hub.environment.shell(
        "from hub.accounts.models import User\nfrom hub.accounts.signin import make_link\n"
        "print(make_link(User.objects.get(username='ada')))"
    ).strip()
    first, second = new_page(), new_page()
    first.goto(f"{hub.url}{link}")
    expect(first.get_by_role("heading", name="Overview")).to_be_visible()
    second.goto(f"{hub.url}{link}")
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
