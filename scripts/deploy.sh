#!/usr/bin/env bash
# Deploys a version to a stage of AWS, or goes back to one. Usage:
#
#   deploy.sh STAGE TAG [OPTIONS]             build, push, deploy, smoke test; back to what ran before if that fails
#   deploy.sh --rollback STAGE TAG [OPTIONS]  back to a version whose images are there: nothing is built
#
#   STAGE             stage or production (infra/parameters/STAGE.json)
#   TAG               vX.Y.Z; for stage vX.Y.Z-something too
#   --yes             executes the change sets without asking
#   --pushed          the images of TAG were pushed by an earlier run from this same commit: takes those
#   --bundle FOLDER   where no bundle is active yet (a first deployment), pushes and activates this one
#   --engine NAME     docker, podman or buildah
#
# Order: refusals; templates validated; images built and pushed; then stack by stage (storage, gpu, pipeline,
# operations; each takes outputs of those before it) a change set, shown, confirmed, executed, awaited; then one photo
# is put and its record awaited. A roll-back leaves storage alone: it holds data, and its changes only add.
#
# Exit code 0: deployed. 1: failed, and what was changed is rolled back where there was something before. 2: refused,
# nothing was changed.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Bounds: seconds for the smoke test's record, and between two looks.
SMOKE_S=${WALKAROUND_SMOKE_S:-600}
SMOKE_LOOK_S=${WALKAROUND_SMOKE_LOOK_S:-5}
STACKS=(storage gpu pipeline operations)
WORK=out/deploy
# The picture that the demonstration bundle tests itself on: drawn, so it may go anywhere.
SAMPLE=bundles/demo/self_test.png

say() { printf 'deploy: %s\n' "$*"; }
refuse() { printf 'deploy: refused: %s\n' "$*" >&2; exit 2; }
warn() { printf 'deploy: %s\n' "$*" >&2; }

# --- arguments

mode=deploy stage='' tag='' yes='' pushed='' bundle='' engine=''
while [ $# -gt 0 ]; do
    case "$1" in
        --rollback) mode=rollback ;;
        --yes) yes=yes ;;
        --pushed) pushed=yes ;;
        --bundle) bundle=${2:?}; shift ;;
        --engine) engine=${2:?}; shift ;;
        -*) refuse "no such option: $1" ;;
        *)
            if [ -z "$stage" ]; then stage=$1
            elif [ -z "$tag" ]; then tag=$1
            else refuse "one stage and one tag, not also \`$1\`"; fi ;;
    esac
    shift
done

check_words() {
    case "$stage" in
        stage | production) ;;
        '') refuse "name a stage: stage or production (make deploy STAGE=stage TAG=v1.2.3)" ;;
        *) refuse "no such stage: \`$stage\` (stage, production)" ;;
    esac
    [ -n "$tag" ] || refuse "name a version: TAG=v1.2.3"
    [ "$tag" != latest ] || refuse "\`latest\` is never deployed: it names nothing that one could go back to"
    local version='^v[0-9]+\.[0-9]+\.[0-9]+'
    if [ "$stage" = production ]; then
        [[ "$tag" =~ $version$ ]] || refuse "production takes vX.Y.Z, not \`$tag\`"
    else
        [[ "$tag" =~ $version(-[0-9A-Za-z.-]{1,64})?$ ]] || refuse "a version is vX.Y.Z or vX.Y.Z-something, not \`$tag\`"
    fi
    [ -n "$yes" ] || [ -t 0 ] || refuse "nobody is here to confirm the change sets: --yes confirms them"
}

# --- git

check_tree() {
    [ -z "$(git status --porcelain)" ] || refuse "the tree is dirty: commit first, or what runs is in no commit"
    local tagged main
    tagged=$(git rev-parse --verify --quiet "refs/tags/$tag^{commit}" || true)
    if [ -n "$tagged" ]; then
        [ "$tagged" = "$revision" ] || refuse "tag $tag exists and is another commit: check it out, or take the next version"
    elif [ "$stage" = production ]; then
        refuse "no tag $tag: production deploys what is tagged (git tag --sign $tag)"
    fi
    [ "$stage" = production ] || return 0
    main=$(git rev-parse --verify --quiet refs/remotes/origin/main || git rev-parse --verify --quiet refs/heads/main) \
        || refuse "no branch main here, which production deploys from"
    git merge-base --is-ancestor "$revision" "$main" || refuse "tag $tag is not on main: merge it first"
}

# --- parameters (infra/parameters/STAGE.json: stack -> name -> value)

# parameter STACK NAME: one value, or nothing.
parameter() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], {}).get(sys.argv[3], ""))' \
        "infra/parameters/$stage.json" "$1" "$2"
}

# parameters_file STACK NAME=VALUE...: those of the file and those given, as CloudFormation reads them.
parameters_file() {
    python3 - "infra/parameters/$stage.json" "$@" >"$WORK/$1.parameters.json" <<'PYTHON'
import json
import sys

values = dict(json.load(open(sys.argv[1])).get(sys.argv[2], {}))
values.update(pair.split("=", 1) for pair in sys.argv[3:])
json.dump([{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()], sys.stdout)
PYTHON
    printf '%s\n' "$WORK/$1.parameters.json"
}

# --- images

image() { printf '%s/%s/%s:%s\n' "$registry" "$prefix" "$1" "$2"; }
# Who built it from what: a second tag on the same image. Tags of the repositories never move.
built_from() { printf '%s.g%s\n' "$tag" "${revision:0:12}"; }

# has_image NAME TAG. That AWS does not say is not that there is none.
has_image() {
    local answer
    answer=$(aws ecr describe-images --repository-name "$prefix/$1" --image-ids "imageTag=$2" \
        --query 'imageDetails[0].imageDigest' --output text 2>&1) && [ "$answer" != None ] && return 0
    case "$answer" in
        None) return 1 ;;
        *ImageNotFoundException* | *RepositoryNotFoundException*) return 1 ;;
        *) refuse "AWS does not say whether $prefix/$1:$2 is there: ${answer##*$'\n'}" ;;
    esac
}

check_images() {
    local name
    for name in functions worker; do
        if [ "$mode" = rollback ]; then
            has_image "$name" "$tag" || refuse "there is no image $prefix/$name:$tag to go back to"
        elif [ -n "$pushed" ]; then
            has_image "$name" "$(built_from)" || refuse "no image $prefix/$name:$tag was pushed from this commit"
        elif has_image "$name" "$tag"; then
            refuse "image $prefix/$name:$tag exists already: take the next version; make rollback goes back to an old" \
                "one; --pushed goes on where an earlier run from this commit broke off"
        fi
    done
}

ensure_repository() {
    aws ecr describe-repositories --repository-names "$1" --query 'repositories[0].repositoryUri' --output text \
        >/dev/null 2>&1 && return 0
    say "making repository $1, whose tags never move"
    aws ecr create-repository --repository-name "$1" --image-tag-mutability IMMUTABLE \
        --image-scanning-configuration scanOnPush=true --query 'repository.repositoryUri' --output text
}

push_images() {
    local name
    [ -n "$engine" ] || engine=$(scripts/images.sh --which)
    for name in functions worker; do ensure_repository "$prefix/$name"; done
    scripts/images.sh --engine "$engine" --tag "$tag" --prefix "$registry/$prefix"
    aws ecr get-login-password | "$engine" login --username AWS --password-stdin "$registry"
    for name in functions worker; do
        "$engine" tag "$(image "$name" "$tag")" "$(image "$name" "$(built_from)")"
        "$engine" push "$(image "$name" "$tag")"
        "$engine" push "$(image "$name" "$(built_from)")"
    done
}

# --- stacks

# stack_status STACK: nothing when there is none.
stack_status() {
    local answer
    if answer=$(aws cloudformation describe-stacks --stack-name "$prefix-$1" --query 'Stacks[0].StackStatus' \
        --output text 2>&1); then
        printf '%s\n' "$answer"
    elif [[ "$answer" != *"does not exist"* ]]; then
        warn "AWS does not say how $prefix-$1 is: ${answer##*$'\n'}"
        return 1
    fi
}

# output STACK NAME
output() {
    local value
    value=$(aws cloudformation describe-stacks --stack-name "$prefix-$1" \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]" --output text) || return 1
    case "$value" in '' | None) warn "$prefix-$1 has no output $2"; return 1 ;; esac
    printf '%s\n' "$value"
}

# What a deployment would change, as it is now: what a roll-back goes back to.
remember() {
    local stack status
    previous=''
    for stack in "${STACKS[@]:1}"; do
        rm -f "$WORK/$stack.previous.yaml" "$WORK/$stack.previous.json"
        status=$(stack_status "$stack") || refuse "what runs now cannot be remembered (see above)"
        case "$status" in '' | None | REVIEW_IN_PROGRESS) continue ;; esac
        aws cloudformation get-template --stack-name "$prefix-$stack" --template-stage Original \
            --query TemplateBody --output text >"$WORK/$stack.previous.yaml"
        aws cloudformation describe-stacks --stack-name "$prefix-$stack" --query 'Stacks[0].Parameters' \
            --output json >"$WORK/$stack.previous.json"
        if [ "$stack" = pipeline ]; then
            previous=$(aws cloudformation describe-stacks --stack-name "$prefix-pipeline" --output text \
                --query "Stacks[0].Parameters[?ParameterKey=='ImageUri'].ParameterValue | [0]")
            previous=${previous##*:}
        fi
    done
    [ -z "$previous" ] || say "what runs now is $previous"
}

validate() {
    local stack
    for stack in "${STACKS[@]}"; do
        aws cloudformation validate-template --template-body "file://infra/$stack.yaml" \
            --query 'Description' --output text >/dev/null || refuse "infra/$stack.yaml is not valid (see above)"
    done
}

confirm() {
    [ -z "$yes" ] || return 0
    local answer
    read -r -p "deploy: execute this change set of $1? [y/N] " answer
    [ "$answer" = y ] || [ "$answer" = yes ]
}

# change STACK TEMPLATE PARAMETERS: 0 when the stack is as wanted. Called in conditions, where `set -e` sleeps: every
# call that may fail says so itself.
change() {
    local name=$prefix-$1 template=$2 parameters=$3 status kind=UPDATE change_set reason
    status=$(stack_status "$1") || return 1
    case "$status" in
        '' | None | REVIEW_IN_PROGRESS) kind=CREATE ;;
        ROLLBACK_COMPLETE | ROLLBACK_FAILED | DELETE_FAILED)
            warn "$name is in $status: look at its events, delete it, deploy again"; return 1 ;;
        *_IN_PROGRESS) warn "$name is in $status: somebody else is at it"; return 1 ;;
    esac
    change_set=$(printf 'walkaround-%s-%s' "${tag//[^0-9A-Za-z]/-}" "$(date -u +%Y%m%dT%H%M%SZ)")
    aws cloudformation create-change-set --stack-name "$name" --change-set-name "$change_set" \
        --change-set-type "$kind" --template-body "file://$template" --parameters "file://$parameters" \
        --capabilities CAPABILITY_IAM --tags "Key=walkaround,Value=$prefix" \
        --description "Walkaround $tag" --query Id --output text >/dev/null || return 1
    # An empty one counts as failed, too; the reason tells them apart.
    if ! aws cloudformation wait change-set-create-complete --stack-name "$name" --change-set-name "$change_set" \
        2>/dev/null; then
        reason=$(aws cloudformation describe-change-set --stack-name "$name" --change-set-name "$change_set" \
            --query StatusReason --output text) || return 1
        case "$reason" in
            *"didn't contain changes"* | *"No updates are to be performed"*)
                aws cloudformation delete-change-set --stack-name "$name" --change-set-name "$change_set" || return 1
                say "$name: nothing to change"; return 0 ;;
        esac
        warn "$name: the change set cannot be made: $reason"; return 1
    fi
    say "$name: this would change"
    aws cloudformation describe-change-set --stack-name "$name" --change-set-name "$change_set" --output table \
        --query 'Changes[].ResourceChange.[Action,LogicalResourceId,ResourceType,Replacement]' || return 1
    if ! confirm "$name"; then
        aws cloudformation delete-change-set --stack-name "$name" --change-set-name "$change_set" || true
        warn "$name: not confirmed"; return 1
    fi
    changed=yes
    aws cloudformation execute-change-set --stack-name "$name" --change-set-name "$change_set" || return 1
    await "$name" "$kind"
}

# await STACK KIND: the AWS CLI asks every 30 s, an hour at the longest.
await() {
    local waiter='stack-update-complete'
    [ "$2" = UPDATE ] || waiter='stack-create-complete'
    aws cloudformation wait "$waiter" --stack-name "$1" && { say "$1: done"; return 0; }
    warn "$1: failed, and CloudFormation undid it; its events:"
    aws cloudformation describe-stack-events --stack-name "$1" --max-items 20 --output table \
        --query "StackEvents[?ends_with(ResourceStatus, '_FAILED')].[LogicalResourceId,ResourceStatusReason]" >&2 || true
    return 1
}

# change_stack STACK TEMPLATES: with the parameters of the stage and the images of the tag.
change_stack() {
    local images=()
    case "$1" in
        gpu) images=("WorkerImageUri=$(image worker "$tag")") ;;
        pipeline) images=("ImageUri=$(image functions "$tag")") ;;
    esac
    change "$1" "$2/$1.yaml" "$(parameters_file "$1" "${images[@]}")"
}

# --- the bundle

# Without an active bundle no function starts.
ensure_bundle() {
    [ -z "$(parameter pipeline BundleLocation)" ] || return 0
    local name bucket
    name=$(parameter pipeline BundleName)
    name=${name:-demo}
    bucket=$(output storage BundlesBucket) || return 1
    aws s3api head-object --bucket "$bucket" --key "bundles/$name/current" >/dev/null 2>&1 && return 0
    if [ -z "$bundle" ]; then
        warn "no bundle $name is active in $bucket: give one with --bundle bundles/demo (make deploy FIRST_BUNDLE=bundles/demo)"
        return 1
    fi
    say "pushing and activating the bundle of $bundle"
    local walkaround=(cargo run --release --quiet --locked --package walkaround-cli --bin walkaround --)
    "${walkaround[@]}" bundle push "$bundle" --name "$name" --bucket "$bucket" \
        && "${walkaround[@]}" bundle activate "$name" "$(bundle_version)" --bucket "$bucket"
}

bundle_version() {
    python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["version"])' "$bundle/bundle.toml"
}

# --- the smoke test: S3, queue, triage, table; not the GPU lane, which one photo does not start

smoke() {
    local bucket table key version id item phase='' began
    bucket=$(output storage PhotosBucket) && table=$(output storage TableName) || return 1
    key=smoke/$tag-$(date -u +%Y%m%dT%H%M%SZ)-$$.png
    version=$(aws s3api put-object --bucket "$bucket" --key "$key" --body "$SAMPLE" --content-type image/png \
        --query VersionId --output text) || return 1
    case "$version" in None | null) version='' ;; esac
    # What docs/messages.md says an id is: where the photo is, joined by the unit separator.
    id=$(printf 's3\037%s\037%s\037%s' "$bucket" "$key" "$version" | sha256sum | cut -d ' ' -f 1)
    if [ "$(parameter storage PhotoEvents)" = None ]; then tell "$bucket" "$key" "$version" || return 1; fi
    say "smoke test: s3://$bucket/$key, inspection $id"
    item=$(printf '{"pk":{"S":"I#%s"},"sk":{"S":"R"}}' "$id")
    began=$SECONDS
    while [ $((SECONDS - began)) -lt "$SMOKE_S" ]; do
        phase=$(aws dynamodb get-item --table-name "$table" --key "$item" --consistent-read \
            --query 'Item.phase.S' --output text) || return 1
        case "$phase" in
            done) say "smoke test: done"; return 0 ;;
            failed) warn "smoke test: the photo's record says failed: walkaround show $id --stack aws"; return 1 ;;
        esac
        sleep "$SMOKE_LOOK_S"
    done
    warn "smoke test: no final record within $SMOKE_S s (last seen: ${phase:-nothing}); first thing to try: walkaround doctor --stack aws"
    return 1
}

# tell BUCKET KEY VERSION: where nothing tells of new photos, a request does.
tell() {
    local queue body
    queue=$(output storage IntakeQueueUrl) || return 1
    body=$(printf '{"photo":{"s3":{"bucket":"%s","key":"%s","version":"%s"}}}' "$1" "$2" "$3")
    aws sqs send-message --queue-url "$queue" --message-body "$body" --query MessageId --output text >/dev/null
}

# --- there and back

deploy_all() {
    local stack
    for stack in "${STACKS[@]}"; do
        change_stack "$stack" infra || return 1
        if [ "$stack" = storage ]; then ensure_bundle || return 1; fi
    done
    smoke
}

# To what `remember` found, templates and all.
go_back() {
    local stack
    if [ -z "$previous" ]; then
        warn "there is no version before $tag to go back to; what was deployed stays, to be looked at"
        return 0
    fi
    say "going back to $previous"
    # One decision, made by the failure: nobody is asked again.
    yes=yes
    for stack in "${STACKS[@]:1}"; do
        [ -f "$WORK/$stack.previous.yaml" ] || continue
        change "$stack" "$WORK/$stack.previous.yaml" "$WORK/$stack.previous.json" \
            || { warn "going back failed at $stack: look at it by hand (docs/operations.md, Roll-back)"; return 1; }
    done
    if smoke; then say "$previous runs again"; else warn "the smoke test fails with $previous, too: it is not the version"; fi
}

# roll_back_to TAG's templates, from git where it is tagged.
roll_back() {
    local templates=infra stack
    if git rev-parse --verify --quiet "refs/tags/$tag^{commit}" >/dev/null; then
        templates=$WORK/$tag/infra
        rm -rf "${WORK:?}/$tag"
        mkdir -p "$WORK/$tag"
        git archive "refs/tags/$tag" infra | tar -x -C "$WORK/$tag"
    else
        say "$tag is no tag of this repository: its images run with the templates of this checkout"
    fi
    for stack in "${STACKS[@]:1}"; do change_stack "$stack" "$templates" || return 1; done
    smoke
}

check_words
[ -f "infra/parameters/$stage.json" ] || refuse "no infra/parameters/$stage.json"
revision=$(git rev-parse HEAD)
[ "$mode" = rollback ] || check_tree
prefix=$(parameter storage Prefix)
prefix=${prefix:-walkaround-$stage}
account=$(aws sts get-caller-identity --query Account --output text) \
    || refuse "AWS does not know who you are: sign in (aws sso login), or set AWS_PROFILE"
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || refuse "no region: set AWS_REGION"
registry=$account.dkr.ecr.$region.amazonaws.com
# A stage may do without the GPU lane.
[ "$(parameter operations GpuStack)" != false ] || STACKS=(storage pipeline operations)
mkdir -p "$WORK"
changed='' previous=''

check_images
if [ "$mode" = rollback ]; then
    say "$prefix in $region of account $account: back to $tag"
    roll_back || { warn "the roll-back to $tag failed"; exit 1; }
    say "$tag runs in $stage"
    exit 0
fi

say "$prefix in $region of account $account: $tag, commit ${revision:0:12}"
validate
remember
[ -n "$pushed" ] || push_images
if deploy_all; then
    say "$tag runs in $stage"
    exit 0
fi
warn "$tag failed in $stage"
[ -z "$changed" ] || go_back || true
exit 1
