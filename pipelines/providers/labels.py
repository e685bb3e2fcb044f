"""The labels that every started build carries, and the variable names that nobody may set.

STAGEDOOR_* belongs to the portal: a person who could set these could pass for someone else. And
a variable that a pipeline does not declare reaches every process of the build unasked, so names
that change what a shell, a linker or an interpreter runs are refused.
"""

import re
from collections.abc import Collection, Mapping

from pipelines.providers.base import LABELS, StartRequest
from pipelines.providers.errors import Rejected
from pipelines.providers.wire import mapping

PREFIX = "STAGEDOOR_"
REQUEST_ID = "STAGEDOOR_REQUEST_ID"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)

# The shell; programs that others start; interpreters; where traffic and trust go.
# Judged in upper case: some runners are on Windows, where PATH and Path are one.
_UNSAFE = """
PATH PATHEXT COMSPEC SHELL SHELLOPTS BASHOPTS BASH_ENV ENV IFS CDPATH GLOBIGNORE FPATH
PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND ZDOTDIR HOME PWD OLDPWD USER LOGNAME TMPDIR TEMP TMP
EDITOR VISUAL PAGER BROWSER LESSOPEN LESSCLOSE MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES
TERMINFO HOSTALIASES LOCALDOMAIN RESOLV_HOST_CONF GCONV_PATH LOCPATH NLSPATH GETCONF_DIR
NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED ELECTRON_RUN_AS_NODE
RUBYOPT RUBYLIB RUBYSHELL GEM_HOME GEM_PATH BUNDLE_GEMFILE
JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_HOME CLASSPATH
MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS GRADLE_USER_HOME SBT_OPTS
GOFLAGS GOPROXY GONOSUMDB GONOSUMCHECK GOSUMDB GOENV GOPATH GOROOT
PHPRC PHP_INI_SCAN_DIR LUA_PATH LUA_CPATH LUA_INIT R_PROFILE R_ENVIRON
RUSTFLAGS RUSTC_WRAPPER RUSTC
DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS CORECLR_PROFILER PSMODULEPATH
HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSLKEYLOGFILE
CURL_HOME WGETRC KUBECONFIG DOCKER_HOST DOCKER_CONFIG SSH_AUTH_SOCK SSH_ASKPASS
TAR_OPTIONS GZIP ZIPOPT UNZIP RSYNC_RSH RSYNC_PROXY CVS_RSH SVN_SSH HGRCPATH HG HGEDITOR GNUPGHOME
CC CXX CPP LD AR AS FC CFLAGS CXXFLAGS CPPFLAGS LDFLAGS CGO_ENABLED GOTOOLCHAIN GOWORK GOVCS
JAVA_OPTS CATALINA_OPTS KOTLIN_OPTS SCALA_OPTS ANT_OPTS ANT_ARGS BUNDLE_PATH COMPOSER_HOME
XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_HOME XDG_DATA_DIRS
AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_CA_BUNDLE AWS_PROFILE BOTO_CONFIG
GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_CONFIG AZURE_CONFIG_DIR
KUBECTL_EXTERNAL_DIFF KUBE_EDITOR HELM_PLUGINS HELM_KUBEAPISERVER ANSIBLE_CONFIG
"""
UNSAFE = frozenset(_UNSAFE.split())
UNSAFE_PREFIXES = (
    *("LD_", "DYLD_", "BASH_FUNC_", "GIT_", "PYTHON", "PERL", "PIP_", "UV_", "VIRTUAL_ENV"),
    *("NPM_CONFIG_", "YARN_", "CARGO_", "COR_", "CORECLR_", "COMPLUS_", "MALLOC_", "GLIBC_"),
    *("CGO_CFLAGS", "CGO_LDFLAGS", "CGO_CXXFLAGS", "AWS_ENDPOINT_URL", "TF_CLI_", "TERRAGRUNT_"),
    *("ANSIBLE_", "BUNDLE_", "COMPOSER_", "DOTNET_", "NUGET_", "GRADLE_", "MAVEN_", "DOCKER_"),
)


def variables(request: StartRequest) -> dict[str, str]:
    """The non-empty labels as STAGEDOOR_<NAME>."""
    labels = {**request.labels, "request_id": request.request_id}
    return {f"{PREFIX}{name.upper()}": labels[name] for name in LABELS if labels.get(name)}


def without_ours(fields: object, prefix: str = PREFIX) -> dict[str, str]:
    """The texts of an old build's variables without those that the portal had set."""
    return {
        name: value
        for name, value in mapping(fields).items()
        if isinstance(value, str) and not name.upper().startswith(prefix.upper())
    }


def refuse_reserved(
    parameters: Mapping[str, str], declared: Collection[str] = (), vendors: Collection[str] = ()
) -> None:
    """Raises Rejected when a person's parameters use a name that they may not set.

    Names that the pipeline declares are its own affair, except those of the portal. `vendors` is
    what the names begin with that the CI itself sets.
    """
    for prefix in (PREFIX, *vendors):
        taken = sorted(name for name in parameters if name.upper().startswith(prefix))
        if taken:
            whose = "Stagedoor" if prefix == PREFIX else "the CI itself"
            raise Rejected(
                f"{', '.join(taken)}: names that begin with {prefix} are set by {whose}."
            )
    for name in sorted(parameters.keys() - set(declared)):
        if not NAME.fullmatch(name):
            raise Rejected(
                f"{name!r} is no name of a variable: letters, digits and underscores, and no digit "
                "first."
            )
        if is_unsafe(name):
            raise Rejected(
                f"{name} would change how the build's own programs run; it can't be set."
            )


def is_unsafe(name: str) -> bool:
    """Whether a variable of this name changes what other programs run, load or trust."""
    upper = name.upper()
    return upper in UNSAFE or upper.startswith(UNSAFE_PREFIXES)
