# Installation and packages; included by Makefile. The directories are GNU's (www.gnu.org/prep/standards, "Directory Variables").

PREFIX        ?= /usr/local
prefix        ?= $(PREFIX)
exec_prefix   ?= $(prefix)
bindir        ?= $(exec_prefix)/bin
libexecdir    ?= $(exec_prefix)/libexec
datarootdir   ?= $(prefix)/share
datadir       ?= $(datarootdir)
mandir        ?= $(datarootdir)/man
docdir        ?= $(datarootdir)/doc/aipass
sysconfdir    ?= /etc
localstatedir ?= /var
unitdir       ?= $(if $(filter /usr,$(prefix)),/lib/systemd/system,$(sysconfdir)/systemd/system)
pkgdatadir     = $(datadir)/aipass
INSTALL       ?= install
PACKAGE        = aipass-$(VERSION)
PAGES          = $(firstword $(wildcard $(B)/htdocs) htdocs)
MAN_PAGES      = aipass.fcgi.8 aipassctl.1 aipass.conf.5 aipass-schema.7
# A tarball of make dist brings them made; else lowdown makes them.
MAN_DIR        = $(if $(wildcard man/aipassctl.1),man,$(B)/man)

# Paths inside snippets and units become those of this installation.
RELOCATE = sed -e 's|/usr/local/libexec/|$(libexecdir)/|g' -e 's|/usr/local/bin/|$(bindir)/|g' -e 's|/usr/local/share/aipass|$(pkgdatadir)|g' \
               -e 's|/etc/aipass|$(sysconfdir)/aipass|g' -e 's|/var/spool/aipass|$(localstatedir)/spool/aipass|g' -e 's|/var/log/aipass|$(localstatedir)/log/aipass|g'

.PHONY: man install uninstall dist deb bundle
man: $(if $(wildcard man/aipassctl.1),,$(MAN_PAGES:%=$(B)/man/%))
$(MAN_PAGES:%=$(B)/man/%) &: $(B)/aipassctl man/make.sh $(wildcard man/*.md db/migrations/*.sql)
	@command -v lowdown >/dev/null || { echo 'make: lowdown makes the man pages: apt-get install lowdown' >&2; exit 1; }
	man/make.sh $(B)/aipassctl . $(B)/man $(VERSION)

install: all man
	$(INSTALL) -d $(DESTDIR){$(bindir),$(libexecdir),$(pkgdatadir)/{sql,apache,nginx,lighttpd-errors,systemd,htdocs},$(docdir),$(mandir)/man{1,5,7,8},$(unitdir),$(sysconfdir)/aipass}
	$(INSTALL) -d $(DESTDIR){$(datadir)/bash-completion/completions,$(datadir)/zsh/site-functions,$(datadir)/fish/vendor_completions.d}
	$(INSTALL) -m 755 $(B)/aipass.fcgi $(DESTDIR)$(libexecdir)/aipass.fcgi
	$(INSTALL) -m 755 $(B)/aipassctl $(DESTDIR)$(bindir)/aipassctl
	cp -R $(PAGES)/. $(DESTDIR)$(pkgdatadir)/htdocs && chmod -R u=rwX,go=rX $(DESTDIR)$(pkgdatadir)/htdocs
	$(B)/aipassctl migrate --sql $(DESTDIR)$(pkgdatadir)/sql && chmod 644 $(DESTDIR)$(pkgdatadir)/sql/*.sql
	$(INSTALL) -m 644 etc/lighttpd-errors/* $(DESTDIR)$(pkgdatadir)/lighttpd-errors
	for f in lighttpd.conf lighttpd-tls.conf apache/aipass-pages.conf apache/aipass-proxy-fcgi.conf apache/aipass-fcgid.conf apache/aipass-tls.conf apache/htaccess \
	    nginx/aipass.conf nginx/aipass-tls.conf systemd/aipass.socket systemd/aipass@.service; do $(RELOCATE) etc/$$f > $(DESTDIR)$(pkgdatadir)/$$f; done
	mkdir -p $(DESTDIR)$(pkgdatadir)/{cron.d,logrotate.d,sysusers.d}
	for d in cron.d logrotate.d sysusers.d; do for f in etc/$$d/*; do $(RELOCATE) $$f > $(DESTDIR)$(pkgdatadir)/$${f#etc/}; done; done
	$(RELOCATE) etc/spawn-fcgi.sh > $(DESTDIR)$(pkgdatadir)/spawn-fcgi.sh && chmod 755 $(DESTDIR)$(pkgdatadir)/spawn-fcgi.sh
	for f in aipass.socket aipass@.service; do $(RELOCATE) etc/systemd/$$f > $(DESTDIR)$(unitdir)/$$f; done
	[ -e $(DESTDIR)$(sysconfdir)/aipass/aipass.conf ] || $(INSTALL) -m 644 etc/aipass.conf $(DESTDIR)$(sysconfdir)/aipass/aipass.conf
	$(INSTALL) -m 644 README.md ARCHITECTURE.md $(DESTDIR)$(docdir)
	for p in $(MAN_PAGES); do $(INSTALL) -m 644 $(MAN_DIR)/$$p $(DESTDIR)$(mandir)/man$${p##*.}/$$p; done
	$(B)/aipassctl completion bash > $(DESTDIR)$(datadir)/bash-completion/completions/aipassctl
	$(B)/aipassctl completion zsh > $(DESTDIR)$(datadir)/zsh/site-functions/_aipassctl
	$(B)/aipassctl completion fish > $(DESTDIR)$(datadir)/fish/vendor_completions.d/aipassctl.fish

# What an admin has made stays: configuration, spool, database.
uninstall:
	rm -f $(DESTDIR)$(libexecdir)/aipass.fcgi $(DESTDIR)$(bindir)/aipassctl $(DESTDIR)$(unitdir)/aipass.socket $(DESTDIR)$(unitdir)/aipass@.service
	rm -f $(DESTDIR)$(datadir)/bash-completion/completions/aipassctl $(DESTDIR)$(datadir)/zsh/site-functions/_aipassctl $(DESTDIR)$(datadir)/fish/vendor_completions.d/aipassctl.fish
	for p in $(MAN_PAGES); do rm -f $(DESTDIR)$(mandir)/man$${p##*.}/$$p; done
	rm -rf $(DESTDIR)$(pkgdatadir) $(DESTDIR)$(docdir)
	! cmp -s etc/aipass.conf $(DESTDIR)$(sysconfdir)/aipass/aipass.conf || rm -f $(DESTDIR)$(sysconfdir)/aipass/aipass.conf
	[ ! -d $(DESTDIR)$(sysconfdir)/aipass ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(sysconfdir)/aipass

# Everything that is needed to build, the man pages made: no network, no Node, no Python, no lowdown.
dist: all man docs
	rm -rf $(B)/dist/$(PACKAGE) && mkdir -p $(B)/dist/$(PACKAGE)
	{ git ls-files 2>/dev/null || find . -path ./build\* -prune -o -path ./var -prune -o -type f -printf '%P\n'; } | tar -cf - -T - | tar -xf - -C $(B)/dist/$(PACKAGE)
	cp $(MAN_PAGES:%=$(MAN_DIR)/%) $(B)/dist/$(PACKAGE)/man
	[ ! -d $(B)/htdocs ] || { mkdir -p $(B)/dist/$(PACKAGE)/build && cp -R $(B)/htdocs $(B)/dist/$(PACKAGE)/build; }
	tar -C $(B)/dist --sort=name --owner=0 --group=0 --numeric-owner -czf $(B)/$(PACKAGE).tar.gz $(PACKAGE)
	@echo $(B)/$(PACKAGE).tar.gz

deb: dist
	@etc/deb.sh $(B) $(VERSION)

bundle: docs
	@etc/bundle.sh $(B) $(VERSION)
