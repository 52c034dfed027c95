"""Pull requests and what people write on them, as GitHub's JSON."""

from __future__ import annotations

from collections import Counter

from pilotage.sandbox.github.model import (
    Comment,
    PullRequest,
    Reaction,
    Repository,
    Review,
)
from pilotage.sandbox.github.render import (
    Json,
    account,
    label,
    node,
    repository,
    repository_url,
    team,
    time,
)
from pilotage.sandbox.github.state import State

# The names of the API, in the order of github.com.
REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def pull_url(state: State, pull: PullRequest) -> str:
    return f"{repository_url(state, pull.repository)}/pulls/{pull.number}"


def pull_html(state: State, pull: PullRequest) -> str:
    return f"{state.base_url}/{pull.repository.full_name}/pull/{pull.number}"


def _side(state: State, pull: PullRequest, ref: str, sha: str) -> Json:
    owner = pull.repository.owner
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": account(state, owner),
        "repo": repository(state, pull.repository),
    }


def _links(state: State, pull: PullRequest) -> dict[str, str]:
    url, repository_ = pull_url(state, pull), repository_url(state, pull.repository)
    issue = f"{repository_}/issues/{pull.number}"
    return {
        "self": url,
        "html": pull_html(state, pull),
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{repository_}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{repository_}/statuses/{pull.head_sha}",
    }


def pull_summary(state: State, pull: PullRequest) -> Json:
    """As the list gives it; `pull` adds what only the single one has."""
    links = _links(state, pull)
    return {
        "url": links["self"],
        "id": pull.id,
        "node_id": node("PullRequest", pull.id),
        "diff_url": f"{links['html']}.diff",
        "patch_url": f"{links['html']}.patch",
        **{f"{name}_url": link for name, link in links.items() if name != "self"},
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": account(state, pull.author),
        "body": pull.body or None,
        "labels": labels(state, pull),
        "milestone": None,
        "active_lock_reason": None,
        "created_at": time(pull.created_at),
        "updated_at": time(pull.updated_at),
        "closed_at": time(pull.closed_at),
        "merged_at": time(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "assignee": account(state, pull.assignees[0]) if pull.assignees else None,
        "assignees": [account(state, who) for who in pull.assignees],
        "requested_reviewers": [account(state, who) for who in pull.reviewers],
        "requested_teams": [team(state, which) for which in pull.team_reviewers],
        "head": _side(state, pull, pull.head_ref, pull.head_sha),
        "base": _side(state, pull, pull.base_ref, pull.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": "MEMBER",
        "auto_merge": None,
        "draft": pull.draft,
    }


def pull(state: State, which: PullRequest, mergeable_state: str) -> Json:
    git = which.repository.git
    base = git.merge_base(which.base_sha, which.head_sha)
    changes = git.changes(base, which.head_sha) if base else []
    return pull_summary(state, which) | {
        "merged": which.merged,
        "mergeable": which.mergeable,
        "rebaseable": which.mergeable,
        "mergeable_state": mergeable_state,
        "merged_by": account(state, which.merged_by) if which.merged_by else None,
        "comments": len(which.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": git.ahead_behind(which.base_sha, which.head_sha)[0],
        "additions": sum(change.additions for change in changes),
        "deletions": sum(change.deletions for change in changes),
        "changed_files": len(changes),
    }


def labels(state: State, pull: PullRequest) -> list[Json]:
    known = pull.repository.labels
    return [label(state, pull.repository, known[name.lower()]) for name in pull.labels]


def issue(state: State, pull: PullRequest) -> Json:
    """A pull request as the Issues API shows it."""
    url = f"{repository_url(state, pull.repository)}/issues/{pull.number}"
    return {
        "url": url,
        "repository_url": repository_url(state, pull.repository),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": pull_html(state, pull),
        "id": pull.id,
        "node_id": node("PullRequest", pull.id),
        "number": pull.number,
        "title": pull.title,
        "user": account(state, pull.author),
        "labels": labels(state, pull),
        "state": pull.state,
        "locked": False,
        "assignee": account(state, pull.assignees[0]) if pull.assignees else None,
        "assignees": [account(state, who) for who in pull.assignees],
        "milestone": None,
        "comments": len(pull.comments),
        "created_at": time(pull.created_at),
        "updated_at": time(pull.updated_at),
        "closed_at": time(pull.closed_at),
        "author_association": "MEMBER",
        "active_lock_reason": None,
        "body": pull.body or None,
        "draft": pull.draft,
        "pull_request": {
            "url": pull_url(state, pull),
            "html_url": pull_html(state, pull),
            "diff_url": f"{pull_html(state, pull)}.diff",
            "patch_url": f"{pull_html(state, pull)}.patch",
            "merged_at": time(pull.merged_at),
        },
    }


def comment(state: State, repo: Repository, pull: PullRequest, which: Comment) -> Json:
    url = f"{repository_url(state, repo)}/issues/comments/{which.id}"
    counts = Counter(reaction.content for reaction in which.reactions)
    return {
        "id": which.id,
        "node_id": node("IssueComment", which.id),
        "url": url,
        "html_url": f"{pull_html(state, pull)}#issuecomment-{which.id}",
        "body": which.body,
        "user": account(state, which.user),
        "created_at": time(which.created_at),
        "updated_at": time(which.updated_at),
        "issue_url": f"{repository_url(state, repo)}/issues/{pull.number}",
        "author_association": "MEMBER",
        "reactions": {
            "url": f"{url}/reactions",
            "total_count": len(which.reactions),
            **{name: counts[name] for name in REACTIONS},
        },
        "performed_via_github_app": None,
    }


def reaction(state: State, which: Reaction) -> Json:
    return {
        "id": which.id,
        "node_id": node("Reaction", which.id),
        "user": account(state, which.user),
        "content": which.content,
        "created_at": time(which.created_at),
    }


def review(state: State, pull: PullRequest, which: Review) -> Json:
    html = f"{pull_html(state, pull)}#pullrequestreview-{which.id}"
    return {
        "id": which.id,
        "node_id": node("PullRequestReview", which.id),
        "user": account(state, which.user),
        "body": which.body,
        "state": which.state,
        "html_url": html,
        "pull_request_url": pull_url(state, pull),
        "author_association": "MEMBER",
        "_links": {"html": {"href": html}, "pull_request": {"href": pull_url(state, pull)}},
        "submitted_at": time(which.submitted_at),
        "commit_id": which.commit_id,
    }
